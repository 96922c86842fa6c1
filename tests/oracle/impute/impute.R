# Reference numbers from R's `mice`, `mitools` and `mitml` for tests/test_impute.py.
# Run in this folder: Rscript impute.R. It reads people.csv and fits.csv and writes impute.json, which the tests need.

suppressMessages({library(mice); library(mitools); library(mitml)})
options(digits = 17)
plain <- function(x) unname(as.numeric(x))
people <- read.csv("people.csv")

# Perfect prediction: mice's pseudo-observations, and the regression of mice.impute.logreg on them, to the last digit.
everyone <- rep(TRUE, nrow(people))
logreg <- function(columns, augmented) {
  x <- as.matrix(people[columns])
  aug <- if (augmented) mice:::augment(people$two, everyone, x, !everyone) else
    list(y = people$two, x = x, w = rep(1, nrow(x)))
  fit <- glm.fit(cbind(1, as.matrix(aug$x)), aug$y, weights = aug$w, family = quasibinomial(),
                 control = glm.control(epsilon = 1e-15, maxit = 100))
  list(estimate = plain(fit$coefficients), covariance = unname(summary.glm(fit)$cov.unscaled))
}
aug <- mice:::augment(people$two, everyone, as.matrix(people[c("age", "score", "sure")]), !everyone)
pseudo <- seq_len(nrow(aug$x))[-seq_len(nrow(people))]

# Multinomial regression: Newton's method by the formula, on the rows mice.impute.polyreg fits to.
multinomial <- function(columns, augmented) {
  x <- as.matrix(people[columns])
  rows <- if (augmented) mice:::augment(people$four, everyone, x, !everyone) else
    list(y = people$four, x = x, w = rep(1, nrow(x)))
  X <- cbind(1, as.matrix(rows$x)); w <- rows$w
  Y <- sapply(1:3, function(level) as.numeric(rows$y == level))
  b <- matrix(0, ncol(X), 3)
  for (step in 1:50) {
    e <- exp(X %*% b); p <- e / (1 + rowSums(e))
    H <- matrix(0, length(b), length(b)); n <- ncol(X)
    for (i in 1:3) for (j in 1:3)
      H[(i - 1) * n + 1:n, (j - 1) * n + 1:n] <- t(X) %*% (X * (w * p[, i] * ((i == j) - p[, j])))
    b <- b + matrix(solve(H, as.vector(t(X) %*% (w * (Y - p))), tol = 1e-30), ncol = 3)
  }
  list(estimate = t(b), covariance = solve(H, tol = 1e-30))
}

# Linear regression as mice's norm.draw has it, and the nearest donor.
x <- cbind(1, as.matrix(people[c("age", "score", "male")]))
line <- mice:::estimice(x, people$number)
fitted <- plain(x %*% line$c)
wanted <- seq(min(fitted) - 1, max(fitted) + 1, length.out = 101)
nearest <- mice:::matchindex(fitted, wanted, 1L)

# Pooling.
fits <- read.csv("fits.csv")
Q <- as.matrix(fits[, 1:3]); m <- nrow(fits)
U <- lapply(1:m, function(i) matrix(as.numeric(fits[i, 4:12]), 3, byrow = TRUE))
scalar <- function(n) lapply(1:3, function(k) {
  p <- pool.scalar(Q[, k], sapply(U, function(u) u[k, k]), n = n, k = 1)
  list(qbar = p$qbar, ubar = p$ubar, b = p$b, t = p$t, df = p$df, r = p$r, fmi = p$fmi)
})
named <- function(parts) setNames(parts, c("b1", "b2", "b3"))
mi <- function(df) {
  p <- MIcombine(lapply(1:m, function(i) Q[i, ]), U, df.complete = df)
  list(estimate = plain(coef(p)), variance = unname(p$variance), df = plain(p$df), missing = plain(p$missinfo))
}
array3 <- array(unlist(U), c(3, 3, m))
d1 <- function(keep, df) {
  p <- mitml:::.D1(t(Q[, keep, drop = FALSE]), array3[keep, keep, , drop = FALSE], df)
  list(F = plain(p$F), df = plain(p$v), r = plain(p$r), p = plain(pf(p$F, length(keep), p$v, lower.tail = FALSE)))
}
logits <- mi_logit <- local({
  q <- plogis(Q[, 1]); s <- sapply(U, function(u) sqrt(u[1, 1])) * q * (1 - q)
  p <- pool.scalar(qlogis(q), (s / (q * (1 - q)))^2, n = 17, k = 1)
  list(proportions = q, se = s, estimate = plogis(p$qbar),
       low = plogis(p$qbar - qt(.975, p$df) * sqrt(p$t)), high = plogis(p$qbar + qt(.975, p$df) * sqrt(p$t)))
})

# A writer of its own, so that no package is needed for it.
json <- function(x, indent = "") {
  more <- paste0(indent, "  ")
  if (is.list(x)) {
    inner <- vapply(names(x), function(name) paste0(more, '"', name, '": ', json(x[[name]], more)), "")
    return(paste0("{\n", paste(inner, collapse = ",\n"), "\n", indent, "}"))
  }
  if (is.matrix(x)) return(paste0("[", paste(apply(x, 1, json), collapse = ", "), "]"))
  one <- if (is.character(x)) paste0('"', x, '"') else formatC(x, digits = 17, format = "g")
  if (length(one) == 1) one else paste0("[", paste(one, collapse = ", "), "]")
}
version <- function(name) as.character(packageVersion(name))
results <- list(
  versions = list(R = as.character(getRversion()), mice = version("mice"), mitools = version("mitools"),
                  mitml = version("mitml")),
  logreg = logreg(c("age", "score", "male"), FALSE),
  logreg_augmented = logreg(c("age", "score", "sure"), TRUE),
  pseudo = list(x = unname(as.matrix(aug$x[pseudo, ])), y = aug$y[pseudo], w = aug$w[pseudo]),
  multinomial = multinomial(c("age", "score", "male"), FALSE),
  multinomial_augmented = multinomial(c("age", "score", "sure"), TRUE),
  line = list(estimate = plain(line$c), covariance = unname(line$v), squares = sum(line$r^2), df = line$df),
  nearest = list(fitted = fitted, wanted = wanted, donor = nearest),
  pool = list(df16 = named(scalar(17)), df308 = named(scalar(309)), infinite = named(scalar(Inf))),
  mitools = list(df16 = mi(16), infinite = mi(Inf)),
  d1 = list(all_infinite = d1(1:3, NULL), all_308 = d1(1:3, 308), all_31 = d1(1:3, 31), pair_308 = d1(2:3, 308),
            one_infinite = d1(1, NULL)),
  logit = logits
)
writeLines(json(results), "impute.json")
