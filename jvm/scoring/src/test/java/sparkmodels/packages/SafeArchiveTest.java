package sparkmodels.packages;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sparkmodels.errors.ModelException;

final class SafeArchiveTest {
    private static final Limits SMALL = new Limits(1000, 10, 1000, 1000, 3, 5_000_000, 50);

    @TempDir
    Path folder;

    private Path archive;
    private Path target;

    @BeforeEach
    void paths() throws IOException {
        archive = folder.resolve("bundle.zip");
        target = Files.createDirectory(folder.resolve("target"));
    }

    @Test
    void wholeArchive() throws IOException {
        zip("root/", "root/model.json");
        SafeArchive.extract(archive, target, archive.toString(), SMALL);
        assertEquals("text", Files.readString(target.resolve("root/model.json")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../evil.txt",
                "a/../../evil.txt",
                "/evil.txt",
                "a//b",
                "./a",
                "a\\..\\b",
                "C:evil",
                "a\nb",
                "../evil/"
            })
    void namesThatLeadOut(String name) throws IOException {
        zip("good.txt", name);
        refused("UNSAFE_ARCHIVE");
        assertFalse(Files.exists(folder.resolve("evil.txt")));
        assertFalse(Files.exists(target.resolve("good.txt")), "nothing is written before every name is checked");
    }

    @Test
    void namesThatDifferByCase() throws IOException {
        zip("model.json", "Model.json");
        refused("UNSAFE_ARCHIVE");
    }

    @Test
    void tooManyEntries() throws IOException {
        zip("a", "b", "c", "d");
        refused("UNSAFE_ARCHIVE");
    }

    @Test
    void bombs() throws IOException {
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(archive))) {
            zip.putNextEntry(new ZipEntry("zeros"));
            zip.write(new byte[4_000_000]);
        }
        refused("UNSAFE_ARCHIVE");
    }

    @Test
    void links() throws IOException {
        zip("link");
        byte[] bytes = Files.readAllBytes(archive);
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at + 4 < bytes.length; at++) {
            if (buffer.getInt(at) == 0x02014b50) {
                buffer.putInt(at + 38, 0xA1FF0000);
            }
        }
        Files.write(archive, bytes);
        refused("UNSAFE_ARCHIVE");
    }

    @Test
    void truncatedArchive() throws IOException {
        zip("a", "b");
        byte[] bytes = Files.readAllBytes(archive);
        for (int length = 0; length < bytes.length; length += 7) {
            Files.write(archive, java.util.Arrays.copyOf(bytes, length));
            refused("INVALID_PACKAGE");
        }
    }

    private void refused(String code) {
        ModelException error = assertThrows(
                ModelException.class, () -> SafeArchive.extract(archive, target, archive.toString(), SMALL));
        assertEquals(code, error.code(), error.getMessage());
        assertEquals(archive.toString(), error.place());
    }

    private void zip(String... names) throws IOException {
        try (OutputStream stream = Files.newOutputStream(archive);
                ZipOutputStream zip = new ZipOutputStream(stream)) {
            for (String name : names) {
                zip.putNextEntry(new ZipEntry(name));
                if (!name.endsWith("/")) {
                    zip.write("text".getBytes(java.nio.charset.StandardCharsets.UTF_8));
                }
            }
        }
    }
}
