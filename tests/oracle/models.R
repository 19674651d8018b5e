# Numbers for tests/oracle/test_models.py: Firth's method, cluster-robust covariance, restricted cubic splines,
# interactions, average marginal effects and predicted probabilities, on the births of tests/data.
# Rscript tests/oracle/models.R, from the top folder; writes tests/oracle/models.csv.
# Made with R 4.2.2, brglm2 0.9, sandwich 3.0.2, Hmisc 4.8.0, rms 6.5.0, haven 2.5.1.

suppressMessages({
  library(brglm2)
  library(sandwich)
  library(rms)
  library(haven)
})

numbers <- list()
keep <- function(case, quantity, name, value) {
  numbers[[length(numbers) + 1]] <<- data.frame(case, quantity, name, value = sprintf("%.15g", value))
}
keep_fit <- function(case, fit, covariance = vcov(fit)) {
  names <- gsub("rcs(age, knots)", "", names(coef(fit)), fixed = TRUE)
  keep(case, "estimate", names, coef(fit))
  keep(case, "covariance", as.vector(outer(names, names, paste, sep = " x ")), as.vector(covariance))
}

recoded <- function(raw) {
  raw <- data.frame(lapply(zap_labels(zap_missing(raw)), as.numeric))
  raw$race[raw$race == 9] <- NA
  raw$race <- factor(raw$race, 1:3, c("white", "black", "other"))
  raw$ptl <- as.numeric(raw$ptl > 0)
  raw
}
births <- recoded(read_sav("tests/data/birthwt.sav"))
missing <- recoded(read_dta("tests/data/birthwt_missing.dta"))
formula <- low ~ age + lwt + race + smoke + ptl + ht + ui

# Firth's method, on all births, on the complete cases, and with a level that has no events.
firth <- function(formula, data) {
  glm(formula, binomial, data, method = "brglmFit", type = "AS_mean", epsilon = 1e-13, maxit = 1000)
}
keep_fit("firth", firth(formula, births))
keep_fit("firth complete cases", firth(formula, na.omit(missing[all.vars(formula)])))
births$rare <- as.numeric(births$low == 0 & births$ui == 1)
keep_fit("firth separated", firth(update(formula, . ~ . + rare), births))

# 21 clusters of 9 births, by their place in the file.
ml <- function(formula, data) glm(formula, binomial, data, epsilon = 1e-15, maxit = 100)
plain <- ml(formula, births)
cluster <- (seq_len(nrow(births)) - 1) %% 21
keep_fit("cluster", plain, vcovCL(plain, cluster = cluster, type = "HC0", cadjust = TRUE))

# Knots at Harrell's quantiles (fractied = 0: no rule of Hmisc's own for many equal values), and the columns of rcs.
for (k in 3:7) keep("knots lwt", "knots", k, rcspline.eval(births$lwt, nk = k, knots.only = TRUE, fractied = 0))
few <- rcspline.eval(births$lwt[1:60], nk = 4, knots.only = TRUE, fractied = 0)
keep("knots of the first 60 births", "knots", 4, few)
knots <- rcspline.eval(births$age, nk = 4, knots.only = TRUE, fractied = 0)
keep("knots age", "knots", 4, knots)
ages <- c(14, 18, 23, 30, 45)
basis <- rcspline.eval(ages, knots = knots, inclx = TRUE)
for (j in 1:3) keep("basis", "column", paste0(j, " at ", ages), basis[, j])

# A spline, a product of a number and a level, and products of a level with all columns of the spline.
curved <- ml(low ~ rcs(age, knots) + lwt + race + smoke + smoke:lwt, births)
keep_fit("curved", curved)
keep_fit("curved by level", ml(low ~ rcs(age, knots) * smoke + lwt, births))

# Average marginal effects and predicted probabilities by hand; gradients in the coefficients by central differences.
x_of <- function(...) model.matrix(delete.response(terms(curved)), transform(births, ...), xlev = curved$xlevels)
average <- function(x) function(b) mean(plogis(x %*% b))
keep_effect <- function(name, effect, transformed = identity) {
  b <- coef(curved)
  f <- function(b) transformed(effect(b))
  h <- 1e-5 * pmax(abs(b), 1e-2)
  gradient <- sapply(seq_along(b), function(j) {
    step <- replace(numeric(length(b)), j, h[j])
    (f(b + step) - f(b - step)) / (2 * h[j])
  })
  keep("effects", "estimate", name, f(b))
  keep("effects", "variance", name, drop(gradient %*% vcov(curved) %*% gradient))
}
difference <- function(high, low) function(b) average(high)(b) - average(low)(b)
level <- function(name) factor(rep(name, nrow(births)), levels(births$race))
keep_effect("ame smoke yes", difference(x_of(smoke = 1), x_of(smoke = 0)))
for (name in c("black", "other")) {
  keep_effect(paste("ame race", name), difference(x_of(race = level(name)), x_of(race = level("white"))))
}
keep_effect("ame lwt +10", difference(x_of(lwt = lwt + 10), x_of()))
# Derivatives of the columns, exactly: of lwt and its product with smoke, and of the columns of the spline.
derivative <- function(slopes) function(b) mean(dlogis(x_of() %*% b) * (slopes %*% b))
columns <- names(coef(curved))
of_lwt <- outer(rep(1, nrow(births)), columns == "lwt") + outer(births$smoke, columns == "lwt:smoke")
keep_effect("ame lwt derivative", derivative(of_lwt))
of_age <- matrix(0, nrow(births), length(columns))
of_age[, 2] <- 1
square <- function(knot) 3 * pmax(births$age - knot, 0)^2
for (j in 1:2) {
  of_age[, 2 + j] <- (square(knots[j]) - square(knots[3]) * (knots[4] - knots[j]) / (knots[4] - knots[3]) +
    square(knots[4]) * (knots[3] - knots[j]) / (knots[4] - knots[3])) / (knots[4] - knots[1])^2
}
keep_effect("ame age derivative", derivative(of_age))
for (name in levels(births$race)) keep_effect(paste("probability race", name), average(x_of(race = level(name))), qlogis)
for (value in c(100, 130)) keep_effect(paste("probability lwt", value), average(x_of(lwt = value)), qlogis)
for (value in c(18, 35)) keep_effect(paste("probability age", value), average(x_of(age = value)), qlogis)

write.csv(do.call(rbind, numbers), "tests/oracle/models.csv", row.names = FALSE, quote = FALSE)
for (p in c("brglm2", "sandwich", "Hmisc", "rms", "haven")) cat(p, as.character(packageVersion(p)), "\n")
