package sparkmodels.packages;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import sparkmodels.errors.ModelException;

/**
 * Rows of values under the names of their columns: an input example, stored predictions, a body in split orientation.
 *
 * @param columns empty where the columns have no names
 * @param rows all of one length; missing values are null
 */
public record Table(List<String> columns, List<List<Object>> rows) {
    static Table of(Object body, String place) {
        if (body instanceof List<?> records) {
            return ofRecords(records, place);
        }
        if (body instanceof Map<?, ?> map && map.get("data") instanceof List<?> data) {
            List<String> columns = new ArrayList<>();
            if (map.get("columns") instanceof List<?> labels) {
                labels.forEach(label -> columns.add(String.valueOf(label)));
            }
            return new Table(columns, rows(data, place));
        }
        throw new ModelException("INVALID_PACKAGE", "It is no example in split orientation or of records", place);
    }

    /** The predictions of {@code example_predictions.json}; one unnamed column unless a DataFrame was predicted. */
    static Optional<Table> ofPredictions(Object body, String place) {
        if (!(body instanceof Map<?, ?> map) || !(map.get("data") instanceof List<?> data)) {
            return Optional.empty();
        }
        return switch (String.valueOf(map.get("kind"))) {
            case "dataframe" -> Optional.of(of(map, place));
            case "series" -> Optional.of(new Table(List.of(), rows(data, place)));
            case "list" -> Optional.of(new Table(List.of(), column(data)));
            case "ndarray" -> map.get("shape") instanceof List<?> shape && shape.size() == 1
                    ? Optional.of(new Table(List.of(), column(data)))
                    : Optional.empty();
            default -> Optional.empty();
        };
    }

    private static List<List<Object>> column(List<?> data) {
        List<List<Object>> rows = new ArrayList<>();
        data.forEach(item -> rows.add(Collections.singletonList(exact(item))));
        return rows;
    }

    private static Table ofRecords(List<?> records, String place) {
        Map<String, Integer> columns = new LinkedHashMap<>();
        for (Object record : records) {
            if (!(record instanceof Map<?, ?> fields)) {
                throw new ModelException("INVALID_PACKAGE", "It holds a record that is no object", place);
            }
            fields.keySet().forEach(key -> columns.putIfAbsent(String.valueOf(key), columns.size()));
        }
        List<List<Object>> rows = new ArrayList<>();
        for (Object record : records) {
            List<Object> row = new ArrayList<>();
            columns.keySet().forEach(name -> row.add(((Map<?, ?>) record).get(name)));
            rows.add(row);
        }
        return new Table(List.copyOf(columns.keySet()), rows);
    }

    private static List<List<Object>> rows(List<?> data, String place) {
        List<List<Object>> rows = new ArrayList<>();
        for (Object item : data) {
            if (!(item instanceof List<?> values)
                    || !rows.isEmpty() && rows.get(0).size() != values.size()) {
                throw new ModelException("INVALID_PACKAGE", "Its rows are not lists of one length", place);
            }
            rows.add(row(values));
        }
        return rows;
    }

    private static List<Object> row(List<?> values) {
        List<Object> row = new ArrayList<>(values.size());
        values.forEach(value -> row.add(exact(value)));
        return row;
    }

    /** Stored predictions write infinities as {@code {"float": "Infinity"}}. */
    private static Object exact(Object value) {
        return value instanceof Map<?, ?> map && map.size() == 1 && map.get("float") instanceof String text
                ? Double.valueOf(text)
                : value;
    }
}
