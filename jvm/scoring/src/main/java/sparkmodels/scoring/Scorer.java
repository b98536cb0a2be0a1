package sparkmodels.scoring;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CancellationException;
import sparkmodels.errors.InputException;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.Names;
import sparkmodels.errors.RowException;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Table;

/**
 * A loaded model that scores rows. In the order of the data:
 *
 * <pre>{@code
 * try (Scorer scorer = Scorer.open(Path.of("models/churn"))) {      // verifies the manifest, loads the model
 *     scorer.inputs();                                               // what a row must have
 *     scorer.outputs();                                              // what comes out
 *     scorer.score(Map.of("age", 42.0, "city", "Rome"));             // one row by name
 *     scorer.scoreRow(new Object[] {42.0, "Rome"});                  // one row by position: the fastest way
 *     scorer.scoreTable(table);                                      // many rows; bad ones are set aside
 *     scorer.scoreJson("{\"columns\": [\"age\", …], \"data\": [[42, …]]}");
 * }
 * }</pre>
 *
 * <p>A scorer may be used by any number of threads at once. A {@link RowException} is of one row: skip it and go on. A
 * {@link ModelException} is of the model: retire it.
 */
public interface Scorer extends AutoCloseable {
    /**
     * The scorer of a package's first flavor that can be scored here, after its manifest was verified.
     *
     * @throws ModelException the package or its model can't be used
     */
    static Scorer open(Path root) {
        return load(ModelPackage.open(root).verified());
    }

    /** The scorer of a package that the caller has verified, or chooses to trust. */
    static Scorer load(ModelPackage model) {
        List<String> known = new ArrayList<>();
        for (ScorerProvider provider : ServiceLoader.load(ScorerProvider.class, Scorer.class.getClassLoader())) {
            if (model.flavor(provider.flavor()).isPresent()) {
                return provider.load(model);
            }
            known.add(provider.flavor());
        }
        throw new ModelException(
                "FLAVOR_NOT_FOUND",
                "The package has none of the flavors %s, only %s"
                        .formatted(
                                Names.listed(known),
                                Names.listed(model.flavors().keySet())),
                model.root().toString(),
                "save it with a sample_input, which adds the mleap flavor");
    }

    /** What a row must have: the signature's columns, else the model's own in the order in which it uses them. */
    List<Field> inputs();

    /** What comes out: the signature's outputs; else the prediction; else every column that no stage takes. */
    List<Field> outputs();

    /** Every column that the model can give. */
    List<Field> available();

    /**
     * The same model with other outputs, in this order. Nothing is loaded again.
     *
     * @throws InputException [MISSING_COLUMNS] the model gives no such column
     */
    Scorer withOutputs(List<String> names);

    /**
     * The outputs of one row, both in the order of {@link #inputs()} and {@link #outputs()}. Vectors come out as
     * {@code double[]}, lists as {@code List}.
     *
     * @throws RowException this row can't be scored
     */
    Object[] scoreRow(Object[] row);

    /**
     * The outputs of one row by name. Names that are no input are ignored, and an absent one is a missing value where
     * the signature says that it may be.
     *
     * @throws InputException [MISSING_COLUMNS] inputs are absent; all of them are named
     * @throws RowException this row can't be scored
     */
    default Map<String, Object> score(Map<String, ?> row) {
        List<Field> inputs = inputs();
        Object[] values = new Object[inputs.size()];
        for (int at = 0; at < values.length; at++) {
            Field field = inputs.get(at);
            values[at] = row.get(field.name());
            if (values[at] == null && !field.optional() && !row.containsKey(field.name())) {
                Binding.positions(List.copyOf(row.keySet()), inputs, "the row");
            }
        }
        Object[] scored = scoreRow(values);
        Map<String, Object> result = new LinkedHashMap<>();
        for (int at = 0; at < scored.length; at++) {
            result.put(outputs().get(at).name(), scored[at]);
        }
        return result;
    }

    /**
     * The outputs of many rows, in their order. A row that can't be scored has nulls for outputs and stands among the
     * errors.
     *
     * @throws InputException a column is missing, so that no row can be scored
     * @throws CancellationException the thread was interrupted before the last row
     */
    default Scored scoreTable(Table table) {
        int[] positions = Binding.positions(table.columns(), inputs(), "the table");
        List<String> names = outputs().stream().map(Field::name).toList();
        List<List<Object>> rows = new ArrayList<>(table.rows().size());
        List<RowException> errors = new ArrayList<>();
        for (List<Object> row : table.rows()) {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancellationException("the thread was interrupted after %d rows".formatted(rows.size()));
            }
            try {
                rows.add(Arrays.asList(scoreRow(Binding.pick(row, positions))));
            } catch (RowException error) {
                errors.add(error.at(rows.size()));
                rows.add(Collections.nCopies(names.size(), null));
            }
        }
        return new Scored(new Table(names, rows), errors);
    }

    /**
     * The outputs of a body's rows, bound by the inputs' names and cast by their types as JSON and CSV need it.
     *
     * @throws InputException columns are missing or values don't fit, all of which is told at once; or [COLUMN_COUNT]
     * @throws RowException the first row that can't be scored
     * @throws CancellationException the thread was interrupted before the last row
     */
    default Table scoreBody(Body body) {
        return scoreTable(BodyRows.bound(body, inputs(), positional())).orThrow();
    }

    /** Whether the signature names no inputs, so that a body's columns are bound by position. */
    default boolean positional() {
        return false;
    }

    /** Whether an answer is a list of records: there are several outputs, or the signature names them. */
    default boolean records() {
        return outputs().size() != 1;
    }

    /**
     * The answer to a JSON body in split orientation: a list of records or of values, as {@link #records} says.
     *
     * @throws InputException the body is no split-oriented JSON of these inputs, or one of its rows can't be scored
     */
    default String scoreJson(String body) {
        return Answer.of(scoreBody(Body.split(body)), records());
    }

    @Override
    void close();
}
