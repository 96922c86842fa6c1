# Reference numbers from R's `metafor` for tests/test_heterogeneity.py.
# Run in this folder: Rscript heterogeneity.R. It writes heterogeneity.json. The tests need only the JSON.

suppressMessages(library(metafor))
options(digits = 17)
source("../json.R")
plain <- function(x) unname(as.numeric(x))
control <- list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-16)

# Nine estimates that share some of their error, with much, little and no heterogeneity.
of <- function(y, s) {
  k <- length(y)
  both <- rma.mv(y, s, random = ~ 1 | panel, data = data.frame(panel = seq_len(k)), method = "REML", control = control)
  alone <- rma.uni(y, diag(s), method = "REML", test = "adhoc", control = list(threshold = 1e-14, maxiter = 10000))
  predicted <- predict(alone)
  list(estimate = y, covariance = unname(s),
       correlated = list(mean = plain(coef(both)), tau2 = plain(both$sigma2), se = plain(both$se), q = plain(both$QE),
                         p = plain(both$QEp)),
       independent = list(mean = plain(coef(alone)), tau2 = plain(alone$tau2), se = plain(alone$se),
                          low = plain(alone$ci.lb), high = plain(alone$ci.ub), q = plain(alone$QE), p = plain(alone$QEp),
                          i_squared = plain(alone$I2) / 100, share = plain(weights(alone)) / 100))
}
se <- c(0.015, 0.0203, 0.0235, 0.0187, 0.0261, 0.019, 0.0225, 0.0203, 0.0229)
shared <- outer(se, se) * (0.12 + 0.88 * diag(9)) * outer(rep(c(1, -1, 1), 3), rep(c(1, -1, 1), 3))
results <- list(
  versions = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  some = of(c(0.0314, 0.0393, -0.0174, -0.0005, -0.0081, 0.0252, -0.0222, -0.0069, -0.0284), shared),
  much = of(c(0.12, -0.08, 0.05, 0.2, -0.01, 0.09, -0.15, 0.02, 0.06), shared),
  none = of(c(0.004, 0.006, 0.001, 0.003, 0.009, -0.002, 0.005, 0.002, 0.007), shared)
)
write_json(results, "heterogeneity.json")
