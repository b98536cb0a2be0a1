package sparkmodels.mleap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sparkmodels.errors.ModelException;
import sparkmodels.fixtures.Bundle;
import sparkmodels.fixtures.Packages;
import sparkmodels.scoring.Scorer;

final class BadBundleTest {
    @TempDir
    Path root;

    @Test
    void truncatedBundleJson() throws IOException {
        Path file = Packages.small(root).resolve("mleap/model/bundle.json");
        Files.writeString(file, Files.readString(file).substring(0, 40));
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void otherFormat() throws IOException {
        Path file = changed("mleap/model/bundle.json", "\"json\"", "\"protobuf\"");
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void unknownOp() throws IOException {
        Path file = changed("mleap/model/root/features.node/model.json", "vector_assembler", "vector_dissembler");
        assertTrue(assertError("UNKNOWN_OP", file).getMessage().contains("'vector_dissembler'"));
    }

    @Test
    void missingNode() throws IOException {
        Path file = Packages.small(root).resolve("mleap/model/root/features.node/model.json");
        Files.delete(file);
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void nodesThatLeadOut() throws IOException {
        Path file = changed("mleap/model/root/model.json", "\"features\"", "\"../../features\"");
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void missingAttribute() throws IOException {
        changed("mleap/model/root/model.node/model.json", "\"coefficients\"", "\"coefs\"");
        assertError("INVALID_BUNDLE", root.resolve("mleap/model"));
    }

    @Test
    void links() throws IOException {
        Path link = Packages.small(root).resolve("mleap/model/root/link");
        Files.createSymbolicLink(link, Path.of("/etc"));
        assertError("INVALID_PACKAGE", link);
    }

    @Test
    void noBundle() {
        Packages.mlmodel(root, "");
        assertError("INVALID_PACKAGE", root.resolve("mleap/model"));
    }

    @Test
    void signatureThatLacksAnInput() {
        Packages.small(root);
        Packages.mlmodel(root, "signature: {inputs: '[{\"name\": \"age\", \"type\": \"double\"}]'}\n");
        assertTrue(assertError("INVALID_PACKAGE", root.resolve("mleap/model"))
                .getMessage()
                .contains("['city', 'visits']"));
    }

    @Test
    void zippedBundle() throws IOException {
        Path bundle = Packages.small(root).resolve("mleap/model");
        Path zipped = root.resolve("mleap/zipped");
        try (OutputStream stream = Files.newOutputStream(zipped);
                ZipOutputStream zip = new ZipOutputStream(stream);
                Stream<Path> files = Files.walk(bundle)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                zip.putNextEntry(new ZipEntry(bundle.relativize(file).toString()));
                zip.write(Files.readAllBytes(file));
            }
        }
        Bundle.write(
                root.resolve("MLmodel"),
                Files.readString(root.resolve("MLmodel")).replace("mleap/model", "mleap/zipped"));
        assertEquals(
                Map.of("prediction", 1.0), Scorer.open(root).score(Map.of("age", 90.0, "city", "Rome", "visits", 4)));
    }

    @Test
    void zipThatLeadsOut() throws IOException {
        Packages.mlmodel(root, "");
        Files.createDirectories(root.resolve("mleap"));
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(root.resolve("mleap/model")))) {
            zip.putNextEntry(new ZipEntry("../../../evil"));
        }
        assertError("UNSAFE_ARCHIVE", root.resolve("mleap/model"));
    }

    /** A file of a whole package, after a text in it was replaced. */
    private Path changed(String file, String text, String other) throws IOException {
        Path path = Packages.small(root).resolve(file);
        Files.writeString(path, Files.readString(path).replace(text, other));
        return path;
    }

    private ModelException assertError(String code, Path place) {
        ModelException error = assertThrows(ModelException.class, () -> Scorer.open(root));
        assertEquals(code, error.code(), error.getMessage());
        assertEquals(place.toString(), error.place());
        return error;
    }
}
