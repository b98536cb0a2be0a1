# A package on disk: a directory with an MLmodel file and the serialized function.

MODEL_FILE <- "crate.bin"
EXAMPLE_FILE <- "input_example.json"

#' Saves a function as a package at `path`.
#'
#' The directory is made whole or not at all; an existing one that is not empty is refused. With `input_example` the
#' signature is inferred where none is given, and the function has to take it.
#'
#' @param model A function of a data frame, best made by `crate`.
#' @param path The directory to make.
#' @param signature What `infer_signature` gives.
#' @param input_example A data frame of a few rows.
save_model <- function(model, path, signature = NULL, input_example = NULL) {
  if (!is.function(model)) stop("a crate is a function, not ", class(model)[[1]], call. = FALSE)
  if (file.exists(path) && (!dir.exists(path) || length(list.files(path, all.files = TRUE, no.. = TRUE)) > 0L)) {
    stop("[PATH_EXISTS] ", path, " exists and is not empty", call. = FALSE)
  }
  if (!is.null(input_example)) {
    predictions <- model(input_example)
    if (is.null(signature)) signature <- infer_signature(input_example, plain(predictions))
  }
  parent <- dirname(path)
  dir.create(parent, recursive = TRUE, showWarnings = FALSE)
  stage <- tempfile(paste0(".", basename(path), "."), tmpdir = parent)
  dir.create(stage)
  on.exit(unlink(stage, recursive = TRUE))
  # As MLflow's R package does: serialized, and that as RDS.
  saveRDS(serialize(model, NULL), file.path(stage, MODEL_FILE))
  if (!is.null(input_example)) write_example(input_example, stage)
  writeLines(mlmodel(signature, !is.null(input_example)), file.path(stage, "MLmodel"), useBytes = TRUE)
  write_manifest(stage)
  if (dir.exists(path)) unlink(path, recursive = TRUE)
  if (!file.rename(stage, path)) stop("the package can't be put at ", path, call. = FALSE)
  on.exit()
  invisible(path)
}

#' The function of a package with the crate flavor. Loading runs what it holds: load only what you trust.
#'
#' @param path The directory of a package, of this format or of MLflow.
load_model <- function(path) {
  found <- readRDS(file.path(path, flavor_of(path)))
  model <- if (is.raw(found)) unserialize(found) else found
  if (!is.function(model)) stop("the file of ", path, " holds no function", call. = FALSE)
  model
}

#' The predictions of a package for a data frame.
#'
#' @param path The directory of a package, or a model that `load_model` gave.
#' @param rows A data frame; columns that the signature does not name are ignored by a model that asks by name.
predict_model <- function(path, rows) {
  model <- if (is.function(path)) path else load_model(path)
  model(rows)
}

plain <- function(predictions) {
  if (is.data.frame(predictions) || is.atomic(predictions) && is.null(dim(predictions))) return(predictions)
  NULL
}

mlmodel <- function(signature, has_example) {
  now <- as.POSIXct(Sys.time(), tz = "UTC")
  time <- function(form) format(now, form, tz = "UTC")
  lines <- c(
    paste0("time_created: '", time("%Y-%m-%dT%H:%M:%OS6"), "'"),
    paste0("utc_time_created: '", time("%Y-%m-%d %H:%M:%OS6"), "'"),
    "flavors:",
    "  crate:",
    "    version: 0.1.0",
    paste0("    model: ", MODEL_FILE),
    paste0("    r_version: '", R.version$major, ".", R.version$minor, "'")
  )
  if (!is.null(signature)) {
    stated <- vapply(names(signature), function(part) {
      # A quote within single quotes is doubled; JSON of one line needs nothing else of YAML.
      paste0("  ", part, ": '", gsub("'", "''", toJSON(signature[[part]], digits = NA), fixed = TRUE), "'")
    }, "")
    lines <- c(lines, "signature:", stated)
  }
  if (has_example) {
    lines <- c(
      lines,
      paste0("input_example: ", EXAMPLE_FILE),
      "saved_input_example_info:",
      paste0("  artifact_path: ", EXAMPLE_FILE),
      "  pandas_orient: split",
      "  type: dataframe"
    )
  }
  enc2utf8(lines)
}

write_example <- function(rows, folder) {
  cells <- lapply(seq_len(nrow(rows)), function(row) lapply(rows, function(column) cell(column[[row]])))
  content <- list(columns = names(rows), data = lapply(cells, unname))
  text <- toJSON(content, digits = NA, na = "null", auto_unbox = FALSE)
  writeLines(enc2utf8(text), file.path(folder, EXAMPLE_FILE), useBytes = TRUE)
}

cell <- function(value) {
  if (inherits(value, "POSIXct")) return(unbox(format(value, "%Y-%m-%dT%H:%M:%OS6", tz = "UTC")))
  if (inherits(value, c("Date", "factor"))) return(unbox(as.character(value)))
  unbox(value)
}

write_manifest <- function(folder) {
  program <- Sys.which("sha256sum")
  # Base R has no sha256; without the program the package goes without a manifest, which is allowed.
  if (program == "") return(invisible())
  files <- sort(list.files(folder, recursive = TRUE), method = "radix")
  sums <- vapply(files, function(file) {
    substr(system2(program, shQuote(file.path(folder, file)), stdout = TRUE), 1L, 64L)
  }, "")
  writeLines(paste0(sums, "  ", files), file.path(folder, "manifest.sha256"))
}

flavor_of <- function(path) {
  file <- file.path(path, "MLmodel")
  if (!file.exists(file)) stop("[NOT_A_MODEL] ", path, " has no MLmodel file", call. = FALSE)
  lines <- readLines(file, encoding = "UTF-8")
  start <- grep("^  crate:\\s*$", lines)
  if (length(start) == 0L) stop("[FLAVOR_NOT_FOUND] ", path, " has no crate flavor", call. = FALSE)
  within <- lines[-seq_len(start[[1]])]
  after <- grep("^ {0,2}\\S", within)
  if (length(after) > 0L) within <- within[seq_len(after[[1]] - 1L)]
  stated <- grep("^    model:", within, value = TRUE)
  name <- if (length(stated) == 0L) MODEL_FILE else gsub("^    model:\\s*|['\"]|\\s+$", "", stated[[1]])
  if (grepl("^/|(^|/)\\.\\.(/|$)", name)) stop("[PATH_ESCAPES] the MLmodel of ", path, " leads out of it", call. = FALSE)
  name
}
