# Reference numbers for tests/test_calibrate.py, by R's own optim, integrate, optimize and glm.
# Run in this folder: Rscript calibrate.R. It makes its data by formulas and writes calibrate.json.

source("../json.R")
options(digits = 17)

# Normal controls: the null in closed form (Schuemie et al. 2014), polished by Newton's method with numeric slopes.
i <- 1:25
estimate <- 0.15 + 0.35 * sin(1.7 * i)
se <- 0.08 + 0.25 * abs(cos(i))
likelihood <- function(at) sum(dnorm(estimate, at[1], sqrt(se^2 + at[2]^2), log = TRUE))
slopes <- function(at, slope) {
  v <- se^2 + at[2]^2; r <- estimate - at[1]
  c(sum(r / v), sum(at[2] * (r^2 / v^2 - 1 / v)) + slope(at[2]))
}
top <- function(added, slope) {
  at <- optim(c(0, 0.3), function(at) -(likelihood(at) + added(at[2])), method = "L-BFGS-B", lower = c(-5, 1e-6))$par
  for (step in 1:30) {
    h <- 1e-6
    bend <- sapply(1:2, function(k) { d <- replace(c(0, 0), k, h); (slopes(at + d, slope) - slopes(at - d, slope)) / (2 * h) })
    at <- at - solve(bend, slopes(at, slope))
  }
  at
}
none <- top(function(s) 0, function(s) 0)
gamma <- top(log, function(s) 1 / s)
half <- top(function(s) -(s / 0.5)^2 / 2, function(s) -s / 0.25)

# One estimate, calibrated by the null taken as known.
seen <- c(0.62, 0.11)
centre <- seen[1] - none[1]; scale <- sqrt(seen[2]^2 + none[2]^2)
calibrated <- c(centre, centre + qnorm(c(0.025, 0.975)) * scale, 2 * pnorm(-abs(centre / scale)))

# The same integrated over the posterior of mean and sd under the half-normal penalty: p by adaptive quadrature.
over <- function(f) integrate(Vectorize(function(s) integrate(Vectorize(function(m)
  exp(likelihood(c(m, s)) - likelihood(half) - s^2 / 0.5 + half[2]^2 / 0.5) * f(m, s)), -1.2, 1.5, rel.tol = 1e-10)$value),
  0, 2.5, rel.tol = 1e-10)$value
whole <- over(function(m, s) 1)
below <- over(function(m, s) pnorm(0, seen[1] - m, sqrt(seen[2]^2 + s^2))) / whole
posterior <- c(over(function(m, s) m) / whole, over(function(m, s) s) / whole, 2 * min(below, 1 - below))

# Two binomials: the profile by a search over the untreated risk, and its integral over normals.
few <- list(risk = c(0.0046, 0.0021), people = c(3000.5, 1100.25))
height <- function(value, ratio) {
  x <- few$risk * few$people
  treated <- function(p) if (ratio == "risk-ratio") exp(value) * p else plogis(qlogis(p) + value)
  f <- function(l) {
    p <- plogis(l); q <- treated(p)
    if (q >= 1) return(-1e10)
    x[1] * log(q) + (few$people[1] - x[1]) * log1p(-q) + x[2] * log(p) + (few$people[2] - x[2]) * log1p(-p)
  }
  optimize(f, c(-25, -0.0001), maximum = TRUE, tol = 1e-13)$objective
}
at <- c(-1, -0.25, 0, 0.4, 1.1, 2.3, 3.7)
best <- log(few$risk[1] / few$risk[2])
odds <- qlogis(few$risk[1]) - qlogis(few$risk[2])
heights <- sapply(at, height, ratio = "risk-ratio") - height(best, "risk-ratio")
heights_odds <- sapply(at, height, ratio = "odds-ratio") - height(odds, "odds-ratio")
normals <- cbind(c(0.1, 0.1, -0.5, 1), c(0.02, 0.3, 0.8, 1.5))
marginal <- apply(normals, 1, function(null) log(integrate(Vectorize(function(t)
  exp(height(t, "risk-ratio") - height(best, "risk-ratio")) * dnorm(t, null[1], null[2])),
  null[1] - 8 * null[2], null[1] + 8 * null[2], rel.tol = 1e-11, subdivisions = 2000)$value))

# A weighted logistic regression with one coefficient held.
n <- 1:80
people <- list(x = sin(n), treated = as.numeric(n %% 3 != 0), weight = 1 + 0.5 * cos(2 * n),
               event = as.numeric((7 * n) %% 5 == 0 | n %% 9 == 0))
held <- function(value) glm(event ~ x, offset = value * treated, weights = weight, family = quasibinomial, data = people,
                            control = glm.control(epsilon = 1e-15, maxit = 100))$deviance
free <- glm(event ~ treated + x, weights = weight, family = quasibinomial, data = people,
            control = glm.control(epsilon = 1e-15, maxit = 100))
model_variance <- summary(free)$cov.unscaled["treated", "treated"]
variance <- 1.7 * model_variance
held_at <- unname(coef(free)["treated"]) + sqrt(variance) * c(-3, -1, 0.5, 2)
coefficient <- -(sapply(held_at, held) - free$deviance) / 2 * model_variance / variance

# Positive controls: the error model of Schuemie et al. 2018 by maximum likelihood.
truth <- rep(log(c(1, 1.5, 2, 4)), length.out = 25)
error <- function(at) -sum(dnorm(estimate + truth, truth + at[1] + at[2] * truth, sqrt(se^2 + (at[3] + at[4] * abs(truth))^2),
                                 log = TRUE))
fit <- optim(c(0.1, 0, 0.2, 0.1), error, method = "Nelder-Mead", control = list(reltol = 1e-16, maxit = 20000))
fit <- optim(fit$par, error, method = "L-BFGS-B", lower = c(-5, -0.9, 0, 0), control = list(factr = 10, maxit = 1000))
known <- c(0.08, 0.1, 0.15, 0.05)
ends <- sapply(c(0.5, 0.025, 0.975), function(tail) uniroot(function(t)
  (seen[1] - t - known[1] - known[2] * t) / sqrt(seen[2]^2 + (known[3] + known[4] * abs(t))^2) + qnorm(tail),
  c(-10, 10), tol = 1e-14)$root)

write_json(list(
  versions = list(R = as.character(getRversion())),
  controls = list(estimate = estimate, se = se),
  null = list(none = none, gamma = gamma, `half-normal` = half),
  seen = seen, calibrated = calibrated, posterior = posterior,
  few = few, at = at, heights = heights, heights_odds = heights_odds, normals = normals, marginal = marginal,
  people = people, variance = variance, held_at = held_at, coefficient = coefficient,
  positive = list(truth = truth, top = -fit$value, model = fit$par, known = known, ends = ends)
), "calibrate.json")
