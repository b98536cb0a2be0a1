# Scores an R function for the process that started this one: Rscript crate.R FILE DESCRIPTOR
#
# FILE holds the function as `saveRDS` wrote it, or as `serialize` did inside of that, which is what MLflow's R package
# writes. Data frames come on standard input, and answers go to the open file DESCRIPTOR, as crate.py describes them;
# what the function prints goes to standard output, which nobody reads. The end of the input ends this process.
arguments <- commandArgs(trailingOnly = TRUE)
requests <- file("stdin", open = "rb")
answers <- file(paste0("/dev/fd/", arguments[[2]]), open = "wb", raw = TRUE)

read_number <- function() readBin(requests, integer(), 1L, endian = "little")
write_numbers <- function(numbers) writeBin(as.integer(numbers), answers, endian = "little")

read_text <- function(count = 1L) {
  found <- readBin(requests, character(), count)
  Encoding(found) <- "UTF-8"
  found
}
write_text <- function(text) writeBin(enc2utf8(text), answers)

# The kinds of a column, each a number: 1 double, 2 integer, 3 logical, 4 character, 5 POSIXct, 6 Date, 7 list.
read_column <- function(rows) {
  kind <- read_number()
  if (kind == 2L || kind == 3L) {
    found <- readBin(requests, integer(), rows, endian = "little")
    return(if (kind == 3L) as.logical(found) else found)
  }
  if (kind == 4L) {
    missing <- as.logical(readBin(requests, integer(), rows, endian = "little"))
    found <- read_text(rows)
    found[missing] <- NA_character_
    return(found)
  }
  found <- readBin(requests, double(), rows, endian = "little")
  found[is.nan(found)] <- NA_real_
  if (kind == 5L) return(as.POSIXct(found, origin = "1970-01-01", tz = "UTC"))
  if (kind == 6L) return(as.Date(found, origin = "1970-01-01"))
  found
}

read_frame <- function(columns) {
  rows <- read_number()
  names <- read_text(columns)
  found <- lapply(seq_len(columns), function(at) read_column(rows))
  structure(found, names = names, row.names = .set_row_names(rows), class = "data.frame")
}

unknown <- function(value) {
  stop("the function of a crate gives a data.frame, matrix, vector or list of them, and this one gives ",
    paste(class(value), collapse = "/"), call. = FALSE)
}

check_value <- function(value) {
  if (is.null(value) || is.factor(value)) return(invisible())
  if (is.list(value)) {
    if (isS4(value)) unknown(value)
    for (item in unclass(value)) check_value(item)
  } else if (!(is.logical(value) || is.numeric(value) || is.character(value) ||
    inherits(value, c("POSIXct", "Date", "difftime")))) {
    unknown(value)
  }
}

write_column <- function(column) {
  plain <- if (is.factor(column)) as.character(column) else column
  kind <- if (inherits(plain, "POSIXct")) 5L
    else if (inherits(plain, "Date")) 6L
    else if (is.list(plain)) 7L
    else if (is.logical(plain)) 3L
    else if (is.character(plain)) 4L
    else if (is.integer(plain)) 2L
    else 1L
  write_numbers(c(kind, length(plain)))
  if (kind == 7L) {
    for (item in plain) write_value(item)
  } else if (kind == 4L) {
    write_numbers(is.na(plain))
    plain[is.na(plain)] <- ""
    if (length(plain) > 0L) write_text(as.vector(plain))
  } else if (kind == 2L || kind == 3L) {
    write_numbers(plain)
  } else {
    writeBin(as.double(plain), answers, endian = "little")
  }
}

write_names <- function(names) {
  write_numbers(!is.null(names))
  if (length(names) > 0L) write_text(names)
}

# The forms of a value, each a number: 0 NULL, 1 data.frame, 2 matrix, 3 vector, 4 list.
write_value <- function(value) {
  if (is.null(value)) {
    write_numbers(0L)
  } else if (is.data.frame(value)) {
    write_numbers(c(1L, ncol(value), nrow(value)))
    if (ncol(value) > 0L) write_text(names(value))
    for (column in as.list(value)) {
      write_column(if (is.matrix(column)) lapply(seq_len(nrow(value)), function(row) column[row, ]) else column)
    }
  } else if (is.matrix(value) && !is.list(value)) {
    write_numbers(c(2L, ncol(value), nrow(value)))
    write_names(colnames(value))
    write_column(as.vector(value))
  } else if (is.list(value)) {
    write_numbers(c(4L, length(value)))
    write_names(names(value))
    for (item in unclass(value)) write_value(item)
  } else {
    write_numbers(3L)
    write_column(value)
  }
}

score <- function(call) {
  found <- tryCatch({
    value <- call()
    check_value(value)
    list(value)
  }, error = function(problem) problem)
  if (inherits(found, "condition")) {
    write_numbers(1L)
    write_text(conditionMessage(found))
  } else {
    write_numbers(0L)
    write_value(found[[1]])
  }
  flush(answers)
}

crate <- NULL
score(function() {
  found <- readRDS(arguments[[1]])
  if (is.raw(found)) found <- unserialize(found)
  if (!is.function(found)) stop("the file holds no function, but ", paste(class(found), collapse = "/"), call. = FALSE)
  crate <<- found
  R.version.string
})
if (is.null(crate)) quit(status = 1L)

repeat {
  columns <- read_number()
  if (length(columns) == 0L) break
  frame <- read_frame(columns)
  score(function() crate(frame))
}
