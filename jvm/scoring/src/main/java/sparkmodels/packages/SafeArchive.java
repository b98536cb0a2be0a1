package sparkmodels.packages;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import sparkmodels.errors.Codes;
import sparkmodels.errors.ModelException;

/**
 * Unpacks a zip file that may come from anyone: every name is checked before anything is written, sizes are counted as
 * they are read and not as they are stated, and links, devices, repeated names and names that lead out are refused.
 */
public final class SafeArchive {
    private static final int DIRECTORY_HEADER = 0x02014b50;
    private static final int END_OF_DIRECTORY = 0x06054b50;
    private static final int END_LENGTH = 22;
    private static final int HEADER_LENGTH = 46;
    private static final int TYPE_MASK = 0xF000;
    private static final int REGULAR = 0x8000;
    private static final int FOLDER = 0x4000;
    private static final long SMALL = 1 << 20;

    private final Path archive;
    private final String place;
    private final Limits limits;
    private long written;

    private SafeArchive(Path archive, String place, Limits limits) {
        this.archive = archive;
        this.place = place;
        this.limits = limits;
    }

    /**
     * Unpacks a zip file into an empty directory.
     *
     * @param place what errors call the archive, which may be a copy
     * @throws ModelException [UNSAFE_ARCHIVE] an entry is refused, and named; [INVALID_PACKAGE] it is no whole zip file
     */
    public static void extract(Path archive, Path target, String place, Limits limits) {
        SafeArchive reader = new SafeArchive(archive, place, limits);
        try {
            reader.checkTypes();
            try (ZipFile zip = new ZipFile(archive.toFile(), StandardCharsets.UTF_8)) {
                List<ZipEntry> entries = reader.checked(zip);
                for (ZipEntry entry : entries) {
                    reader.write(zip, entry, target);
                }
            }
        } catch (ZipException error) {
            throw new ModelException("INVALID_PACKAGE", "It is not a whole zip file", place, "", error);
        } catch (IOException error) {
            throw new ModelException("INVALID_PACKAGE", "It can't be unpacked", place, "", error);
        }
    }

    private List<ZipEntry> checked(ZipFile zip) {
        if (zip.size() > limits.files()) {
            throw unsafe("it has more than " + limits.files() + " entries");
        }
        List<ZipEntry> entries = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
            ZipEntry entry = all.nextElement();
            checkName(entry.getName());
            // Two names that differ by case are one file on some systems.
            if (!names.add(entry.getName().toLowerCase(Locale.ROOT))) {
                throw unsafe("the name '" + entry.getName() + "' is repeated");
            }
            entries.add(entry);
        }
        return entries;
    }

    private void checkName(String name) {
        String bare = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
        if (bare.chars()
                .anyMatch(character -> character < ' ' || character == '\\' || character == ':' || character == 0x7f)) {
            throw unsafe("a name holds a control character, a backslash or a colon");
        }
        for (String part : bare.split("/", -1)) {
            if (part.isEmpty() || part.equals(".") || part.equals("..")) {
                throw unsafe("the name '" + name + "' leads out of the archive");
            }
        }
    }

    private void write(ZipFile zip, ZipEntry entry, Path target) throws IOException {
        Path path = target.resolve(entry.getName()).normalize();
        if (!path.startsWith(target.normalize())) {
            throw unsafe("the name '" + entry.getName() + "' leads out of the archive");
        }
        if (entry.isDirectory()) {
            Files.createDirectories(path);
            return;
        }
        Files.createDirectories(path.getParent());
        long size = 0;
        long packed = Math.max(entry.getCompressedSize(), 1);
        byte[] buffer = new byte[1 << 16];
        try (InputStream stream = zip.getInputStream(entry);
                OutputStream file = Files.newOutputStream(path)) {
            for (int count = stream.read(buffer); count >= 0; count = stream.read(buffer)) {
                size += count;
                written += count;
                if (written > limits.bytes()) {
                    throw unsafe("it unpacks to more than " + limits.bytes() + " bytes");
                }
                if (size > SMALL && size / packed > limits.ratio()) {
                    throw unsafe(
                            "'" + entry.getName() + "' unpacks to more than " + limits.ratio() + " times its size");
                }
                file.write(buffer, 0, count);
            }
        }
    }

    /** Java's zip classes don't tell a link from a file: the type stands in the central directory's attributes. */
    private void checkTypes() throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(archive.toFile(), "r")) {
            ByteBuffer end = endOfDirectory(file);
            int count = Short.toUnsignedInt(end.getShort(10));
            long offset = Integer.toUnsignedLong(end.getInt(16));
            long length = Integer.toUnsignedLong(end.getInt(12));
            if (count == 0xFFFF
                    || offset == 0xFFFFFFFFL
                    || length > Integer.MAX_VALUE
                    || offset + length > file.length()) {
                throw new ZipException("the directory is not where it is said to be, or needs zip64");
            }
            byte[] bytes = new byte[(int) length];
            file.seek(offset);
            file.readFully(bytes);
            ByteBuffer directory = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            int at = 0;
            for (int entry = 0; entry < count; entry++) {
                if (at + HEADER_LENGTH > bytes.length || directory.getInt(at) != DIRECTORY_HEADER) {
                    throw new ZipException("the directory is broken");
                }
                int name = Short.toUnsignedInt(directory.getShort(at + 28));
                int type = directory.getInt(at + 38) >>> 16 & TYPE_MASK;
                if (type != 0 && type != REGULAR && type != FOLDER) {
                    throw unsafe("an entry is a link or a device");
                }
                at += HEADER_LENGTH
                        + name
                        + Short.toUnsignedInt(directory.getShort(at + 30))
                        + Short.toUnsignedInt(directory.getShort(at + 32));
            }
        }
    }

    private static ByteBuffer endOfDirectory(RandomAccessFile file) throws IOException {
        int length = (int) Math.min(file.length(), END_LENGTH + 0xFFFF);
        byte[] tail = new byte[length];
        file.seek(file.length() - length);
        file.readFully(tail);
        ByteBuffer buffer = ByteBuffer.wrap(tail).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = length - END_LENGTH; at >= 0; at--) {
            if (buffer.getInt(at) == END_OF_DIRECTORY) {
                return buffer.slice(at, length - at).order(ByteOrder.LITTLE_ENDIAN);
            }
        }
        throw new ZipException("it has no directory");
    }

    private ModelException unsafe(String what) {
        return new ModelException(Codes.UNSAFE_ARCHIVE, "The archive is refused: " + what, place);
    }
}
