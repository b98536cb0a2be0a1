# Rscript tests/packages.R, in r/: saves, loads and predicts; ends with an error where something is not as it should be.
library(sparkmodels)

refused <- function(call, code) {
  text <- tryCatch({
    call
    "nothing"
  }, error = conditionMessage)
  if (!grepl(code, text, fixed = TRUE)) stop("expected ", code, ", found: ", text)
}

rows <- data.frame(speed = c(10, 4.5, 21), "it's" = c("a", NA, "c"), check.names = FALSE)
fit <- lm(dist ~ speed, cars)
model <- crate(function(rows) unname(stats::predict(fit, rows)), fit = fit)
stopifnot(all.equal(model(rows), unname(predict(fit, rows))))
stopifnot(identical(ls(environment(model)), "fit"))

path <- file.path(tempfile("packages"), "model")
save_model(model, path, input_example = rows)
stopifnot(setequal(list.files(path), c("MLmodel", "crate.bin", "input_example.json", "manifest.sha256")))
stopifnot(identical(load_model(path)(rows), model(rows)))
stopifnot(identical(predict_model(path, rows), model(rows)))

# What exists is refused, and stays.
refused(save_model(model, path), "[PATH_EXISTS]")
stopifnot(identical(predict_model(path, rows), model(rows)))
refused(save_model(crate(function(rows) stop("no")), file.path(dirname(path), "other"), input_example = rows), "no")
stopifnot(identical(list.files(dirname(path), all.files = TRUE, no.. = TRUE), "model"))

# A package of MLflow: other keys, other flavors, a function that was not serialized twice.
other <- file.path(dirname(path), "mlflow")
dir.create(other)
saveRDS(model, file.path(other, "f.rds"))
writeLines(c("flavors:", "  python_function:", "    model: x", "  crate:", "    model: 'f.rds'", "run_id: a"),
  file.path(other, "MLmodel"))
stopifnot(identical(predict_model(other, rows), model(rows)))
writeLines(c("flavors:", "  crate:", "    model: ../model/crate.bin"), file.path(other, "MLmodel"))
refused(load_model(other), "[PATH_ESCAPES]")
writeLines("flavors: {}", file.path(other, "MLmodel"))
refused(load_model(other), "[FLAVOR_NOT_FOUND]")
refused(load_model(dirname(path)), "[NOT_A_MODEL]")
refused(save_model("text", other), "a crate is a function")
refused(crate(function(rows) rows, 5), "needs a name")
refused(infer_signature(data.frame(z = complex(1))), "no type")

types <- infer_signature(data.frame(d = 0.5, i = 1L, n = NA_integer_, l = TRUE, s = "x", f = factor("y"), t = Sys.time()))
stopifnot(identical(vapply(types$inputs, function(one) as.character(one$type), ""),
  c("double", "integer", "double", "boolean", "string", "string", "datetime")))
cat("packages.R: all as it should be\n")
