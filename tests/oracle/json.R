# Writes nested lists of numbers as JSON, so that R needs no package for it.
json <- function(x, indent = "") {
  more <- paste0(indent, "  ")
  if (is.list(x)) {
    inner <- vapply(names(x), function(name) paste0(more, '"', name, '": ', json(x[[name]], more)), "")
    return(paste0("{\n", paste(inner, collapse = ",\n"), "\n", indent, "}"))
  }
  if (is.matrix(x)) return(paste0("[", paste(apply(x, 1, json), collapse = ", "), "]"))
  one <- if (is.character(x)) paste0('"', x, '"') else
    if (is.logical(x)) tolower(as.character(x)) else formatC(x, digits = 17, format = "g")
  if (length(one) == 1) one else paste0("[", paste(one, collapse = ", "), "]")
}
write_json <- function(x, path) writeLines(json(x), path)
