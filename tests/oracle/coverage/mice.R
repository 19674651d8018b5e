# R mice on data sets that simulate.py writes; run by it as
#   Rscript mice.R incomplete.csv completed.csv m iterations seed
# incomplete.csv: people of one or more replications one below the other, column replication first; completed.csv: the
# same people m times, columns replication and imputation first. Methods by kind of variable, all else as mice has it:
# pmm (5 donors), logreg, polyreg. The seed of a replication is the seed plus its number. Versions go to the output.
suppressPackageStartupMessages(library(mice))
cat(R.version.string, "mice", as.character(packageVersion("mice")), "\n")

arguments <- commandArgs(trailingOnly = TRUE)
m <- as.integer(arguments[3])
data <- read.csv(arguments[1], stringsAsFactors = TRUE, na.strings = "")
completed <- lapply(split(data, data$replication), function(people) {
  number <- people$replication[1]
  imputed <- mice(
    people[names(people) != "replication"],
    m = m, maxit = as.integer(arguments[4]), seed = as.integer(arguments[5]) + number, printFlag = FALSE,
    defaultMethod = c("pmm", "logreg", "polyreg", "polyreg")
  )
  sets <- lapply(1:m, function(i) data.frame(replication = number, imputation = i, complete(imputed, i)))
  do.call(rbind, sets)
})
write.csv(do.call(rbind, completed), arguments[2], row.names = FALSE, quote = FALSE, na = "")
