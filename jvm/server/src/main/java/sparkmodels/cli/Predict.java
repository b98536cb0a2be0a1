package sparkmodels.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Answer;
import sparkmodels.scoring.Body;
import sparkmodels.scoring.Scorer;

@Command(
        name = "predict",
        description = "Scores a file of JSON or CSV, and prints JSON.",
        mixinStandardHelpOptions = true)
final class Predict implements Callable<Integer> {
    @Mixin
    private ModelOption model;

    @Option(
            names = {"-i", "--input", "--input-path"},
            paramLabel = "FILE",
            description = "What to score; standard input by default.")
    private Path input;

    @Option(
            names = {"-o", "--output", "--output-path"},
            paramLabel = "FILE",
            description = "Where the answer goes; standard output by default.")
    private Path output;

    @Option(
            names = {"-t", "--content-type"},
            paramLabel = "TYPE",
            defaultValue = "json",
            description = "json or csv.")
    private Form form;

    @Option(
            names = "--outputs",
            split = ",",
            paramLabel = "NAME",
            description = "Columns that come out, instead of the default.")
    private List<String> outputs;

    enum Form {
        json,
        csv
    }

    @Override
    public Integer call() throws IOException {
        String text =
                input == null ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8) : Files.readString(input);
        ModelPackage opened = model.open();
        try (Scorer all = Scorer.load(opened)) {
            Scorer scorer = outputs == null ? all : all.withOutputs(outputs);
            Body body = form == Form.csv ? Body.csv(text) : Body.json(text);
            Table scored = scorer.scoreBody(body);
            String answer = body.wrapped()
                    ? Answer.wrapped(scored, scorer.records())
                    : Answer.of(scored, scorer.records());
            if (output == null) {
                System.out.println(answer);
            } else {
                Files.writeString(output, answer);
            }
        }
        return 0;
    }
}
