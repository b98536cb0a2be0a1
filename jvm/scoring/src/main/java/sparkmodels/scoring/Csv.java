package sparkmodels.scoring;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import sparkmodels.errors.InputException;
import sparkmodels.errors.Names;
import sparkmodels.packages.Table;

/** CSV as RFC 4180 has it, with a header. An empty field is a missing value; empty lines are none. */
final class Csv {
    private final String text;
    private int at;

    private Csv(String text) {
        this.text = text;
    }

    /** Values are text or null. A column whose name is empty is called {@code Unnamed: 0} by its position. */
    static Table table(String text) {
        Csv reader = new Csv(text.startsWith("\uFEFF") ? text.substring(1) : text);
        List<Object> header = reader.line();
        if (header.isEmpty()) {
            throw broken("the CSV is empty: a header line is expected", "csv");
        }
        List<String> columns = new ArrayList<>(header.size());
        for (Object name : header) {
            columns.add(name == null ? "Unnamed: " + columns.size() : name.toString());
        }
        List<List<Object>> rows = new ArrayList<>();
        List<String> ragged = new ArrayList<>();
        for (List<Object> row = reader.line(); !row.isEmpty(); row = reader.line()) {
            if (row.size() != columns.size()) {
                ragged.add(String.valueOf(rows.size()));
            }
            rows.add(row);
        }
        if (!ragged.isEmpty()) {
            throw broken(
                    "rows %s of the CSV have not %d fields, one a column"
                            .formatted(Names.bare(ragged), columns.size()),
                    "csv, its rows counted from 0 after the header");
        }
        return new Table(columns, rows);
    }

    /** The fields of the next line that is not empty; none at the end. */
    private List<Object> line() {
        while (at < text.length()) {
            int start = at;
            List<Object> fields = fields();
            if (fields.size() > 1 || fields.get(0) != null || text.charAt(start) == '"') {
                return fields;
            }
        }
        return Collections.emptyList();
    }

    private List<Object> fields() {
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
            String value = quoted();
            return value.isEmpty() ? null : value;
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
                        throw broken("it is no CSV: text stands behind a closing quote", "csv");
                    }
                    return value.toString();
                }
            }
            value.append(character);
        }
        throw broken("it is no CSV: a quoted field has no end", "csv");
    }

    private static InputException broken(String what, String place) {
        return new InputException("JSON_BODY", "The input can't be read: " + what, place);
    }
}
