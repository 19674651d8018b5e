# Split R-hat and bulk effective sample size of made-up chains by the package posterior.
# Rscript tests/oracle/convergence.R > tests/oracle/convergence.csv
suppressPackageStartupMessages(library(posterior))
cat(sprintf("# R %s, posterior %s\n", getRversion(), packageVersion("posterior")))
# The same chains as in test_convergence.py: sines, which any program computes alike. Rows: iterations; columns: chains.
chains <- function(n, m, trend) outer(1:n, 1:m, function(i, j) sin(12.9898 * i + 78.233 * j) + trend * i * j)
cat("name,n,m,trend,r_hat,split_r_hat,ess\n")
for (case in list(c(8, 50, 0), c(9, 5, 0), c(20, 5, 0.02), c(100, 4, 0), c(100, 4, 0.002))) {
  x <- chains(case[1], case[2], case[3])
  cat(sprintf("case,%d,%d,%g,%.10g,%.10g,%.10g\n", case[1], case[2], case[3], rhat(x), rhat_basic(x), ess_bulk(x)))
}
