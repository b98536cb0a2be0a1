package sparkmodels.scoring;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import sparkmodels.errors.InputException;
import sparkmodels.errors.RowException;
import sparkmodels.packages.Table;

/** CSV as RFC 4180 has it, with a header. A bare empty field is a missing value; a quoted one is empty text. */
final class Csv {
    private final String text;
    private int at;

    private Csv(String text) {
        this.text = text;
    }

    static Table table(String text, List<Field> inputs) {
        Csv reader = new Csv(text.startsWith("\uFEFF") ? text.substring(1) : text);
        List<Object> header = reader.line();
        List<String> columns = header.stream()
                .map(name -> name == null ? "Unnamed: 0" : name.toString())
                .toList();
        Map<String, String> types = new HashMap<>();
        inputs.forEach(field -> types.put(field.name(), field.type()));
        List<List<Object>> rows = new ArrayList<>();
        while (reader.at < reader.text.length()) {
            List<Object> row = reader.line();
            if (row.size() == 1 && row.get(0) == null && columns.size() > 1) {
                continue;
            }
            if (row.size() != columns.size()) {
                throw new InputException(
                        "INVALID_INPUT",
                        "A line has %d fields and the header %d".formatted(row.size(), columns.size()),
                        "row " + rows.size() + " of the CSV");
            }
            for (int column = 0; column < row.size(); column++) {
                row.set(
                        column,
                        typed(
                                (String) row.get(column),
                                types.get(columns.get(column)),
                                columns.get(column),
                                rows.size()));
            }
            rows.add(row);
        }
        return new Table(columns, rows);
    }

    private static Object typed(String value, String type, String name, int row) {
        if (value == null || type == null) {
            return value;
        }
        try {
            return switch (type) {
                case "double", "float" -> Double.valueOf(value.strip());
                case "integer", "int", "short", "byte" -> Integer.valueOf(value.strip());
                case "long" -> Long.valueOf(value.strip());
                case "boolean" -> switch (value.strip()) {
                    case "true", "True", "TRUE" -> true;
                    case "false", "False", "FALSE" -> false;
                    default -> throw new NumberFormatException("neither true nor false");
                };
                default -> value;
            };
        } catch (NumberFormatException error) {
            throw RowException.ofField("COLUMN_TYPE", "A value is no " + type, name, "")
                    .at(row);
        }
    }

    private List<Object> line() {
        List<Object> fields = new ArrayList<>();
        while (true) {
            fields.add(field());
            if (at >= text.length()) {
                return fields;
            }
            char next = text.charAt(at++);
            if (next == '\r' && at < text.length() && text.charAt(at) == '\n') {
                at++;
            }
            if (next != ',') {
                return fields;
            }
        }
    }

    private String field() {
        if (at < text.length() && text.charAt(at) == '"') {
            return quoted();
        }
        int start = at;
        while (at < text.length() && ",\r\n".indexOf(text.charAt(at)) < 0) {
            at++;
        }
        return start == at ? null : text.substring(start, at);
    }

    private String quoted() {
        StringBuilder value = new StringBuilder();
        for (at++; at < text.length(); at++) {
            char character = text.charAt(at);
            if (character == '"') {
                at++;
                if (at >= text.length() || text.charAt(at) != '"') {
                    if (at < text.length() && ",\r\n".indexOf(text.charAt(at)) < 0) {
                        throw new InputException("INVALID_INPUT", "Text stands behind a closing quote", "the CSV");
                    }
                    return value.toString();
                }
            }
            value.append(character);
        }
        throw new InputException("INVALID_INPUT", "A quote is never closed", "the CSV");
    }
}
