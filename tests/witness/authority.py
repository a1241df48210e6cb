"""A timestamp authority that we did not write: `openssl ts`, with certificates of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import judges

CONFIG = """
[req]
distinguished_name = dn
prompt = no
[dn]
CN = {name}
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[authority]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = {digests}
ess_cert_id_alg = sha256
"""


class Authority:
    """Root, certificate and key; answers as `openssl ts -reply` does."""

    def __init__(self, folder: Path, name: str) -> None:
        self._openssl = judges.openssl()
        self.folder = folder
        self.root = folder / "root.pem"
        self._name = name
        self.configure()
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "config"]
        self._run("req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "30", "-extensions", "root")
        self._run("req", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", f"/CN={name} TSA")
        signed_by = ["-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "1"]
        self._run(
            "x509",
            "-req",
            "-in",
            "tsa.csr",
            *signed_by,
            "-out",
            "tsa.pem",
            "-days",
            "30",
            "-extfile",
            "config",
            "-extensions",
            "tsa",
        )

    def configure(self, digests: str = "sha256") -> None:
        (self.folder / "config").write_text(CONFIG.format(folder=self.folder, name=self._name, digests=digests))

    def __call__(self, request: bytes) -> bytes:
        (self.folder / "query").write_bytes(request)
        self._run(
            "ts",
            "-reply",
            "-config",
            "config",
            "-section",
            "authority",
            "-queryfile",
            "query",
            "-out",
            "reply",
            check=False,
        )
        return (self.folder / "reply").read_bytes()

    def judges(self, data: bytes, token: bytes) -> bool:
        """Whether the program alone finds the token good, over bytes that this test gives it."""
        (self.folder / "data").write_bytes(data)
        (self.folder / "reply").write_bytes(token)
        return self._run("ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem", check=False) == 0

    def _run(self, *arguments: str, check: bool = True) -> int:
        return subprocess.run([self._openssl, *arguments], cwd=self.folder, capture_output=True, check=check).returncode
