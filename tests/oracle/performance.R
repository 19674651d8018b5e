# R 4.2.2, pROC 1.18.0 (packages r-base-core, r-cran-proc of Debian 12). Run from the top folder:
#   Rscript tests/oracle/performance.R > tests/oracle/performance.csv
# The births of MASS::birthwt (189 rows) under the model of test_birthwt.py, from a copy of the same data in MASS.
suppressPackageStartupMessages({library(MASS); library(pROC)})

births <- transform(birthwt, race = factor(race), ptl = as.numeric(ptl > 0))
precise <- glm.control(epsilon = 1e-14, maxit = 50)
fit <- glm(low ~ age + lwt + race + smoke + ptl + ht + ui, binomial, births, control = precise)
log_odds <- predict(fit)
curve <- roc(births$low, log_odds, direction = "<", quiet = TRUE)

# Predictions that are off by half and too extreme: calibration is then not trivially 0 and 1.
extreme <- 0.5 + 1.5 * log_odds
intercept <- glm(births$low ~ 1, offset = extreme, family = binomial, control = precise)
slope <- glm(births$low ~ extreme, family = binomial, control = precise)

# Scores with many ties.
ties <- roc(births$low, births$ptl + births$ht, direction = "<", quiet = TRUE)

chi2 <- fit$null.deviance - fit$deviance
loss <- (births$low - plogis(log_odds))^2
rows <- rbind(
  c("auc", auc(curve), var(curve, method = "delong")),
  c("auc_ties", auc(ties), var(ties, method = "delong")),
  c("calibration_intercept", coef(intercept), vcov(intercept)),
  c("calibration_slope", coef(slope)[2], vcov(slope)[2, 2]),
  c("shrinkage", (chi2 - 8) / chi2, NA),
  c("brier", mean(loss), var(loss) / length(loss))
)
write.csv(data.frame(statistic = rows[, 1], estimate = rows[, 2], variance = rows[, 3]), row.names = FALSE, quote = FALSE)
