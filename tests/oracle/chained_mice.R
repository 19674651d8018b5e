# R 4.2.2, mice 3.15.0 (packages r-base-core, r-cran-mice of Debian 12). Run from the top folder:
#   Rscript tests/oracle/chained_mice.R
# Writes the made-up data of chained_mice_data.csv and the pooled estimates over M = 200 imputations of them in
# chained_mice.csv: methods pmm, logreg and polyreg, ten iterations, everything else as mice has it. mice always augments
# its logistic models; at 600 rows that is far below the Monte Carlo error. Its polyreg draws no parameters.
suppressPackageStartupMessages(library(mice))
set.seed(20)

n <- 600
age <- round(rnorm(n, 30, 6), 1)
score <- round(12 + 0.1 * age + rnorm(n, 0, 4), 1)
trauma <- round(8 + 0.7 * (score - 15) + rnorm(n, 0, 3), 1)
smoker <- rbinom(n, 1, plogis(-0.5 + 0.08 * (trauma - 8) - 0.05 * (age - 30)))
area <- factor(apply(rmultinom(n, 1, c(0.5, 0.3, 0.2)) == 1, 2, which), labels = c("city", "town", "village"))
event <- rbinom(n, 1, plogis(-1 + 0.08 * (score - 15) + 0.08 * (trauma - 8) + 0.6 * smoker + 0.5 * (area == "town")))
both <- runif(n) < plogis(-1.6 + 0.8 * event)
score[both | runif(n) < 0.1] <- NA
trauma[both | runif(n) < 0.1] <- NA
smoker[runif(n) < plogis(-1.3 + 0.04 * (age - 30))] <- NA
area[runif(n) < 0.15] <- NA
data <- data.frame(age, score, trauma, smoker, area, event)
write.csv(data, "tests/oracle/chained_mice_data.csv", row.names = FALSE, quote = FALSE, na = "")

data$smoker <- factor(data$smoker)
data$event <- factor(data$event)
imputed <- mice(data, m = 200, maxit = 10, seed = 1, printFlag = FALSE, method = c("", "pmm", "pmm", "logreg", "polyreg", ""))
pooled <- pool(with(imputed, glm(event ~ age + score + trauma + smoker + area, family = binomial)))$pooled
joint <- is.na(data$score) & is.na(data$trauma)
z <- sapply(1:200, function(i) with(complete(imputed, i)[joint, ], atanh(cor(score, trauma))))
rows <- rbind(
  data.frame(quantity = as.character(pooled$term), estimate = pooled$estimate, ubar = pooled$ubar, b = pooled$b),
  data.frame(quantity = "joint_fisher_z", estimate = mean(z), ubar = NA, b = var(z))
)
rows[-1] <- signif(rows[-1], 8)
write.csv(rows, "tests/oracle/chained_mice.csv", row.names = FALSE, quote = FALSE, na = "")
