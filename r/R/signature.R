# The signature of a model: the names and types of its inputs, and of what it gives.

#' The signature of a data frame, and of the predictions on it, as save_model takes it.
#'
#' double, integer, logical, character and factor, POSIXct and Date columns are double, integer, boolean, string and
#' datetime. Integers with missing values are double, as the format has no missing integer.
#'
#' @param rows A data frame: input of the model.
#' @param predictions A data frame or vector: what the model gives for it; may be left out.
infer_signature <- function(rows, predictions = NULL) {
  if (!is.data.frame(rows)) stop("the inputs of a crate are the columns of a data.frame", call. = FALSE)
  found <- list(inputs = columns_of(rows))
  if (is.data.frame(predictions)) {
    found$outputs <- columns_of(predictions)
  } else if (!is.null(predictions)) {
    found$outputs <- list(list(type = unbox(type_of(predictions, "the predictions"))))
  }
  found
}

columns_of <- function(frame) {
  unname(Map(function(column, name) list(type = unbox(type_of(column, name)), name = unbox(name)), frame, names(frame)))
}

type_of <- function(column, name) {
  if (inherits(column, c("POSIXct", "Date"))) return("datetime")
  if (is.logical(column)) return("boolean")
  if (is.character(column) || is.factor(column)) return("string")
  if (is.integer(column)) return(if (anyNA(column)) "double" else "integer")
  if (is.numeric(column)) return("double")
  stop("the format has no type for ", name, ", which is ", class(column)[[1]], call. = FALSE)
}
