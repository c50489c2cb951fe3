# SPDX-License-Identifier: MIT
"""A throwaway CA and certificates for dns.google, valid ones and every kind of invalid one, made on first use."""
import base64
import datetime
import functools
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "dns.google"
DAY = datetime.timedelta(days=1)
ENCODING = serialization.Encoding


class Certificate:
    """A certificate with its key, its issuer and the paths of its PEM files."""

    def __init__(self, directory, label, certificate, key, issuer):
        self.label, self.certificate, self.key, self.issuer = label, certificate, key, issuer
        self.chain_file, self.key_file = directory / f"{label}.pem", directory / f"{label}.key"
        self.chain_file.write_bytes(b"".join(link.public_bytes(ENCODING.PEM) for link in self.chain()))
        self.key_file.write_bytes(key.private_bytes(
            ENCODING.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.key_file.chmod(0o644)

    def chain(self):
        """The certificates from this one up to the root, without the root."""
        links = [self]
        while links[-1].issuer:
            links.append(links[-1].issuer)
        return [link.certificate for link in links[:-1] or links]

    @property
    def pin(self):
        public = self.key.public_key().public_bytes(ENCODING.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return "sha256/" + base64.b64encode(hashlib.sha256(public).digest()).decode()

    def __repr__(self):
        return f"<certificate {self.label}>"


def alternative_names(*names):
    return x509.SubjectAlternativeName(
        [name if isinstance(name, x509.GeneralName) else x509.DNSName(name) for name in names])


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body).to_bytes(max(1, (len(body).bit_length() + 7) // 8), "big")
    return bytes([tag]) + (size if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


# Both are AlgorithmIdentifiers, RFC 5758 section 3.2.
ECDSA_WITH_SHA256, ECDSA_WITH_SHA1 = bytes.fromhex("300a06082a8648ce3d040302"), bytes.fromhex("300906072a8648ce3d0401")


def signed_with_sha1(certificate, key):
    """The same certificate with another signature, which newer versions of python3-cryptography refuse to make."""
    content = certificate.tbs_certificate_bytes
    assert content.count(ECDSA_WITH_SHA256) == 1
    header = 2 if content[1] < 128 else 2 + (content[1] & 0x7f)
    content = der(0x30, content[header:].replace(ECDSA_WITH_SHA256, ECDSA_WITH_SHA1))
    signature = key.sign(content, ec.ECDSA(hashes.SHA1()))
    return x509.load_der_x509_certificate(der(0x30, content, ECDSA_WITH_SHA1, der(0x03, b"\0", signature)))


class Certificates:
    """The CA and what it has issued: cert.good, cert.bad("expired") and so on."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = self.make("ca", subject="Throwaway CA", ca=True)
        self.stranger = self.make("stranger-ca", subject="Another CA", ca=True)

    @property
    def ca_file(self):
        return str(self.authority.chain_file)

    def make(self, label, issuer=None, *, subject=NAME, names=None, ca=None, days=(-1, 30), key=None, usage=None,
             path_length=None, constraints=None, sha1=False, signs=True):
        """`names` None: no SAN; `ca` None: no basic constraints; `days`: first and last day of validity, relative to now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = (x509.CertificateBuilder().subject_name(name)
                   .issuer_name(issuer.certificate.subject if issuer else name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
        if names is not None:
            builder = builder.add_extension(alternative_names(*names), False)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), True)
        if ca:
            builder = builder.add_extension(x509.KeyUsage(
                True, False, False, False, False, signs, True, False, False), True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if constraints:
            builder = builder.add_extension(constraints, True)
        if issuer:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
        signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        if sha1:
            signed = signed_with_sha1(signed, issuer.key)
        return Certificate(self.directory, label, signed, key, issuer)

    @functools.cached_property
    def good(self):
        return self.make("good", self.authority, names=[NAME, "*.dns.google"], ca=False,
                         usage=ExtendedKeyUsageOID.SERVER_AUTH)

    @functools.cached_property
    def good_rsa(self):
        return self.make("good-rsa", self.authority, names=[NAME], key=rsa.generate_private_key(65537, 2048))

    @functools.cached_property
    def good_through_intermediate(self):
        between = self.make("intermediate", self.authority, subject="Intermediate", ca=True)
        return self.make("good-through-intermediate", between, names=[NAME])

    @functools.lru_cache(maxsize=None)
    def bad(self, kind):
        return BAD[kind](self, kind)


def leaf(**parts):
    return lambda certs, label: certs.make(label, certs.authority, **{"names": [NAME], "ca": False, **parts})


def below(**parts):
    """A valid certificate below an invalid intermediate."""
    def make(certs, label):
        between = certs.make(label + "-issuer", certs.authority,
                             **{"subject": "Intermediate", "ca": True, **parts})
        return certs.make(label, between, names=[NAME], ca=False)
    return make


def missing_link(certs, label):
    certificate = below()(certs, label)
    certificate.chain_file.write_bytes(certificate.certificate.public_bytes(ENCODING.PEM))
    return certificate


def path_too_long(certs, label):
    first = certs.make(label + "-1", certs.authority, subject="First", ca=True, path_length=0)
    second = certs.make(label + "-2", first, subject="Second", ca=True)
    return certs.make(label, second, names=[NAME])


BAD = {
    "wrong-name": leaf(subject="dns.example", names=["dns.example"]),
    "longer-name": leaf(names=["evildns.google"]),
    "subdomain": leaf(names=["a.dns.google", "*.dns.google"]),
    "parent": leaf(names=["google"]),
    "wildcard-over-tld": leaf(names=["*.google"]),
    "wildcard-alone": leaf(names=["*"]),
    "name-then-suffix": leaf(names=["dns.google.example"]),
    "cn-only": leaf(names=None),
    "cn-right-san-wrong": leaf(names=["dns.example"]),
    "nul-in-san": leaf(names=["dns.google\0.dns.example"]),
    "oversize-san": leaf(names=["dns.google." + "a." * 20000 + "example"]),
    "san-of-other-kinds": leaf(names=[x509.RFC822Name("dns@dns.google"),
                                      x509.UniformResourceIdentifier("https://dns.google")]),
    "address-only": leaf(names=[x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
    "expired": leaf(days=(-30, -1)),
    "not-yet-valid": leaf(days=(1, 30)),
    "self-signed": lambda certs, label: certs.make(label, names=[NAME], ca=False),
    "untrusted-ca": lambda certs, label: certs.make(label, certs.stranger, names=[NAME], ca=False),
    "client-only": leaf(usage=ExtendedKeyUsageOID.CLIENT_AUTH),
    "rsa-1024": lambda certs, label: certs.make(
        label, certs.authority, names=[NAME], key=rsa.generate_private_key(65537, 1024)),
    "sha1": leaf(sha1=True),
    "issuer-is-no-ca": below(ca=False),
    "issuer-may-not-sign": below(signs=False),
    "issuer-expired": below(days=(-30, -1)),
    "issuer-of-other-names": below(constraints=x509.NameConstraints([x509.DNSName("example")], None)),
    "issuer-not-for-google": below(constraints=x509.NameConstraints(None, [x509.DNSName("google")])),
    "issuer-missing": missing_link,
    "path-too-long": path_too_long,
}
