package sparkmodels.server;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** A certificate and its key from two PEM files, as TLS needs them. */
final class PemIdentity {
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN (RSA )?PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END (RSA )?PRIVATE KEY-----");
    private static final String[] ALGORITHMS = {"RSA", "EC", "EdDSA"};
    /** What stands before an RSA key of its own form in the general one: version 0 and the algorithm's name. */
    private static final byte[] RSA_NAME = {
        2, 1, 0, 48, 13, 6, 9, 42, (byte) 134, 72, (byte) 134, (byte) 247, 13, 1, 1, 1, 5, 0
    };

    private PemIdentity() {}

    /**
     * The context of a server with this certificate.
     *
     * @throws ServerStateException the files are missing or are not what they must be
     */
    static SSLContext context(ServerOptions.Tls files) {
        try {
            Certificate[] chain;
            try (var stream = new ByteArrayInputStream(Files.readAllBytes(files.certificate()))) {
                chain = CertificateFactory.getInstance("X.509")
                        .generateCertificates(stream)
                        .toArray(Certificate[]::new);
            }
            if (chain.length == 0) {
                throw new ServerStateException("there is no certificate in " + files.certificate(), null);
            }
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry("server", key(files.key()), new char[0], chain);
            KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            managers.init(store, new char[0]);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(managers.getKeyManagers(), null, null);
            return context;
        } catch (IOException | GeneralSecurityException error) {
            throw new ServerStateException(
                    "can't use the certificate " + files.certificate() + " and the key " + files.key(), error);
        }
    }

    private static PrivateKey key(Path file) throws IOException, GeneralSecurityException {
        Matcher found = KEY.matcher(Files.readString(file, StandardCharsets.US_ASCII));
        if (!found.find()) {
            throw new ServerStateException(
                    "there is no private key in %s that is read here: openssl pkcs8 -topk8 -nodes writes one"
                            .formatted(file),
                    null);
        }
        byte[] bytes = Base64.getMimeDecoder().decode(found.group(2));
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(found.group(1) == null ? bytes : wrapped(bytes));
        Optional<PrivateKey> key = Optional.empty();
        for (int at = 0; at < ALGORITHMS.length && key.isEmpty(); at++) {
            key = of(ALGORITHMS[at], spec);
        }
        return key.orElseThrow(
                () -> new ServerStateException("the private key in " + file + " is of no kind known here", null));
    }

    private static Optional<PrivateKey> of(String algorithm, PKCS8EncodedKeySpec spec) throws GeneralSecurityException {
        try {
            return Optional.of(KeyFactory.getInstance(algorithm).generatePrivate(spec));
        } catch (InvalidKeySpecException error) {
            // A key of another algorithm.
            return Optional.empty();
        }
    }

    private static byte[] wrapped(byte[] rsa) {
        return element(0x30, RSA_NAME, element(0x04, rsa));
    }

    /** An element of DER: its tag, its length in three bytes, its content. */
    private static byte[] element(int tag, byte[]... parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += part.length;
        }
        ByteBuffer buffer = ByteBuffer.allocate(length + 4);
        buffer.put((byte) tag).put((byte) 0x82).putShort((short) length);
        for (byte[] part : parts) {
            buffer.put(part);
        }
        return buffer.array();
    }
}
