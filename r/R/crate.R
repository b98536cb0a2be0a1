# A function that carries what it needs, and nothing else.

#' A function of one data frame whose environment holds the given values alone.
#'
#' Values are given by name, evaluated now, and found by the function under their names; packages are called as
#' `package::function`. A function that carrier::crate made works everywhere as well.
#'
#' @param f A function of a data frame that gives a data frame, matrix, vector or list.
#' @param ... What it needs, by name.
#' @examples
#' fit <- lm(dist ~ speed, cars)
#' model <- crate(function(rows) stats::predict(fit, rows), fit = fit)
#' model(data.frame(speed = 10))
crate <- function(f, ...) {
  values <- list(...)
  if (!is.function(f)) stop("a crate is made of a function, not of ", class(f)[[1]], call. = FALSE)
  if (length(values) > 0L && (is.null(names(values)) || any(names(values) == ""))) {
    stop("each value of a crate needs a name", call. = FALSE)
  }
  # Below the base packages: what stands in the workspace is not found there either.
  environment(f) <- list2env(values, parent = baseenv())
  attr(f, "srcref") <- NULL
  structure(f, class = c("crate", class(f)))
}

print.crate <- function(x, ...) {
  cat("<crate>", paste(ls(environment(x)), collapse = ", "), "\n")
  invisible(x)
}
