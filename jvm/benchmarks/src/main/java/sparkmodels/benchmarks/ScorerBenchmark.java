package sparkmodels.benchmarks;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import ml.combust.mleap.core.types.StructField;
import ml.combust.mleap.core.types.StructType;
import ml.combust.mleap.runtime.MleapContext;
import ml.combust.mleap.runtime.frame.ArrayRow;
import ml.combust.mleap.runtime.frame.Row;
import ml.combust.mleap.runtime.frame.RowTransformer;
import ml.combust.mleap.runtime.frame.Transformer;
import ml.combust.mleap.runtime.javadsl.BundleBuilder;
import ml.combust.mleap.tensor.DenseTensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import scala.collection.JavaConverters;
import scala.collection.mutable.WrappedArray$;
import scala.reflect.ClassTag$;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;

/** One row through a scorer, and through MLeap's bare transformer: what the scorer costs beyond it. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class ScorerBenchmark {
    /** The model: seven stages with a logistic regression, or a forest of twenty trees. */
    @Param({"logistic", "forest"})
    public String model;

    private Scorer scorer;
    private RowTransformer bare;
    private Object[] row;
    private Object[] bareRow;

    /** Writes the package and loads it both ways. */
    @Setup
    public void load() throws Exception {
        Path root = Files.createTempDirectory("spark-models-benchmark");
        boolean forest = model.equals("forest");
        if (forest) {
            Packages.forest(root, 20);
        } else {
            Packages.logistic(root, "");
        }
        scorer = Scorer.load(ModelPackage.open(root));
        row = forest ? new Object[] {new double[] {0.35, 1.0, -2.0, 0.95}} : new Object[] {"Oslo", "paid", 52.0, 1.0};
        Transformer transformer = new BundleBuilder()
                .load(root.resolve("mleap/model").toFile(), MleapContext.defaultContext())
                .root();
        List<StructField> fields = scorer.inputs().stream()
                .map(field -> transformer.inputSchema().getField(field.name()).get())
                .toList();
        bare = transformer
                .<RowTransformer>transform(
                        RowTransformer.apply(StructType.apply(fields).get()))
                .get();
        bareRow = row.clone();
        if (forest) {
            bareRow[0] = new DenseTensor<Object>(
                    row[0],
                    JavaConverters.asScalaBufferConverter(List.<Object>of(4))
                            .asScala()
                            .toList(),
                    ClassTag$.MODULE$.apply(double.class));
        }
    }

    /** The scorer's own call. */
    @Benchmark
    public Object[] scorer() {
        return scorer.scoreRow(row);
    }

    /** MLeap alone, with a row that has its types already. */
    @Benchmark
    public Row bare() {
        return bare.transform(new ArrayRow(WrappedArray$.MODULE$.<Object>make(bareRow.clone())));
    }
}
