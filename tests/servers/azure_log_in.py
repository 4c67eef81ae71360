"""Azure's names on this machine.

A proxy that leads them to servers of the tests, an issuer of GitHub's tokens, and Microsoft Entra's
exchange of them.

The programs under test are told of the proxy and of its certificates by the environment, as behind
a company's proxy, and all else of them is as it is: real host names, TLS, `az`.
GitHub, *OpenID Connect reference*; Microsoft identity platform, *OAuth 2.0 client credentials
flow*, a federated credential.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import certifi
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from github_runner import ActionFailedError, Job

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
ENTRA = "login.microsoftonline.com"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
MANAGEMENT = "https://management.azure.com"

# What `az` is on a runner, as far as it is asked: whoever logged in, by what GitHub signed, gets a
# token for a resource.
AZ = """\
#!{python}
import argparse, json, os, sys, urllib.parse, urllib.request, urllib.error
parser = argparse.ArgumentParser()
parser.add_argument("words", nargs="+")
for option in ("--resource", "--output", "--subscription", "--tenant", "--scope"):
    parser.add_argument(option, default="")
said = parser.parse_args()
file = os.path.join(os.environ.get("AZURE_CONFIG_DIR", ""), "logged-in.json")
if not os.path.exists(file):
    sys.exit("ERROR: Please run 'az login' to setup account.")
who = json.load(open(file))
user = {{"type": "servicePrincipal", "name": who["client_id"]}}
if said.words == ["account", "show"]:
    print(json.dumps({{"tenantId": who["tenant"], "user": user}}))
    sys.exit()
if said.words != ["account", "get-access-token"]:
    sys.exit(f"ERROR: {{said.words}} is not known here")
form = {{"grant_type": "client_credentials", "client_id": who["client_id"],
         "client_assertion": who["assertion"],
         "scope": said.scope or said.resource.rstrip("/") + "/.default",
         "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
try:
    with urllib.request.urlopen(f"https://{entra}/{{who['tenant']}}/oauth2/v2.0/token",
                                urllib.parse.urlencode(form).encode()) as answer:
        found = json.load(answer)
except urllib.error.HTTPError as error:
    sys.exit("ERROR: " + json.load(error)["error_description"])
print(json.dumps({{"accessToken": found["access_token"],
                  "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800,
                  "subscription": who["subscription"], "tenant": who["tenant"],
                  "tokenType": "Bearer"}}))
"""


def new_certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return a certificate for a host with its key, or that of an authority which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    signer = issuer[1] if issuer else key
    builder = x509.CertificateBuilder(
        issuer[0].subject if issuer else subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - day,
        now + day,
    )
    builder = builder.add_extension(
        x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True
    )
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if issuer:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
    else:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage),
            critical=True,
        )
    return builder.sign(signer, hashes.SHA256()), key


class Served:
    """A server of the tests for as long as it is held."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True

    @property
    def address(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Any:
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class Spoken(BaseHTTPRequestHandler):
    """What the servers of these tests share: an answer is JSON, and nothing is logged."""

    protocol_version = "HTTP/1.1"

    def answer(self, body: Any, status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class LogIn(Served):
    """GitHub's issuer and Microsoft Entra.

    `trusted` has the subjects that each client id believes, `granted` what was asked for by whom.

    `grant` is called with each token that is given, and the resource that it is for.
    """

    def __init__(
        self, tenant: str, trusted: Mapping[str, set[str]], grant: Callable[[str, str, str], None]
    ) -> None:
        self.tenant, self.trusted, self.grant = tenant, trusted, grant
        self.key = rsa.generate_private_key(65537, 2048)
        self.asking: dict[str, str] = {}
        self.granted: list[tuple[str, str]] = []
        issuer = self

        class Handler(Spoken):
            def do_GET(self) -> None:
                audience = parse_qs(urlsplit(self.path).query).get("audience", [""])[0]
                subject = issuer.asking.get(
                    self.headers.get("Authorization", "").removeprefix("bearer ")
                )
                if subject is None:
                    return self.answer({"message": "not permitted"}, 403)
                claims = {
                    "iss": ISSUER,
                    "aud": audience,
                    "sub": subject,
                    "exp": int(time.time()) + 300,
                }
                return self.answer({"value": jwt.encode(claims, issuer.key, "RS256")})

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(content).items()}
                status, body = issuer.exchanged(urlsplit(self.path).path, form)
                self.answer(body, status)

        super().__init__(Handler)

    def told(self, job: Job) -> dict[str, str]:
        """Return what GitHub tells a job that may have a token signed."""
        request = f"request-{len(self.asking)}"
        self.asking[request] = job.subject
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.address}/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request,
        }

    def exchanged(self, path: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Return a token of Entra for one that GitHub signed, or why there is none."""
        if path != f"/{self.tenant}/oauth2/v2.0/token":
            return 400, {
                "error": "invalid_request",
                "error_description": f"AADSTS90002: Tenant {path.split('/')[1]!r} not found.",
            }
        try:
            claims = jwt.decode(
                form["client_assertion"],
                self.key.public_key(),
                ["RS256"],
                audience=AUDIENCE,
                issuer=ISSUER,
            )
        except jwt.InvalidTokenError as error:
            return 401, {
                "error": "invalid_client",
                "error_description": "AADSTS700027: Client assertion failed signature validation: "
                f"{error}",
            }
        if claims["sub"] not in self.trusted.get(form["client_id"], ()):
            return 401, {
                "error": "invalid_client",
                "error_description": "AADSTS700213: No matching federated identity record found "
                f"for presented assertion subject '{claims['sub']}'.",
            }
        resource = form["scope"].removesuffix("/.default")
        own = {
            "aud": resource,
            "appid": form["client_id"],
            "idtyp": "app",
            "tid": self.tenant,
            "exp": int(time.time()) + 3600,
            "n": len(self.granted),
        }
        token = jwt.encode(own, self.key, "RS256")
        self.granted.append((claims["sub"], resource))
        self.grant(token, resource, form["client_id"])
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3599}


def log_in(job: Job, given: Mapping[str, str]) -> None:
    """Stand in for the action Azure/login.

    Have GitHub sign a token, and keep it for `az` once Entra takes it.
    """
    if "ACTIONS_ID_TOKEN_REQUEST_URL" not in job.env:
        raise ActionFailedError(
            "Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable: set `permissions: "
            "id-token: write`"
        )
    request = urllib.request.Request(
        job.env["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&" + urlencode({"audience": AUDIENCE}),
        headers={"Authorization": "bearer " + job.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]},
    )
    with urllib.request.urlopen(request) as answer:
        assertion = json.load(answer)["value"]
    folder = job.folder / "azure"
    folder.mkdir()
    who = {
        "client_id": given["client-id"],
        "tenant": given["tenant-id"],
        "subscription": given["subscription-id"],
        "assertion": assertion,
    }
    form = {
        "grant_type": "client_credentials",
        "client_id": who["client_id"],
        "client_assertion": assertion,
        "scope": f"{MANAGEMENT}/.default",
    }
    # the same server, without the proxy
    entra = job.env["ACTIONS_ID_TOKEN_REQUEST_URL"].partition("/token")[0]
    try:
        urllib.request.urlopen(
            f"{entra}/{who['tenant']}/oauth2/v2.0/token", urlencode(form).encode()
        ).close()
    except urllib.error.HTTPError as error:
        raise ActionFailedError("Login failed: " + json.load(error)["error_description"]) from error
    (folder / "logged-in.json").write_text(json.dumps(who), encoding="utf-8")
    job.env["AZURE_CONFIG_DIR"] = str(folder)


def upstream(host: str, port: int) -> socket.socket:
    """Return a connection to another host, through this machine's own proxy where it has one."""
    own = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if not own:
        return socket.create_connection((host, port), timeout=60)
    parts = urlsplit(own)
    connection = socket.create_connection((str(parts.hostname), parts.port or 3128), timeout=60)
    connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    while not connection.recv(4096).endswith(b"\r\n\r\n"):
        pass
    return connection


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one side ends."""
    with suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


class Names(Served):
    """A proxy that leads names to servers of this machine by TLS, and others where they are.

    `seen` has the names that were asked for.
    """

    def __init__(self, folder: Path, leads: Mapping[str, str]) -> None:
        self.seen: set[str] = set()
        authority = new_certificate("Authority of the tests")
        self.bundle = folder / "authorities.pem"
        known = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or certifi.where()
        own = authority[0].public_bytes(serialization.Encoding.PEM).decode()
        self.bundle.write_text(own + Path(known).read_text(encoding="utf-8"), encoding="utf-8")
        contexts = {name: server_context(folder, name, authority) for name in leads}
        names = self

        class Handler(Spoken):
            def do_CONNECT(self) -> None:
                host, _, port = self.path.partition(":")
                names.seen.add(host)
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                self.close_connection = True
                client: socket.socket = self.connection
                if host in leads:
                    parts = urlsplit(leads[host])
                    server = socket.create_connection((str(parts.hostname), int(parts.port or 0)))
                    client = contexts[host].wrap_socket(client, server_side=True)
                    # with one, Python waits outside of OpenSSL, and the other thread may write
                    client.settimeout(600)
                else:
                    try:
                        server = upstream(host, int(port))
                    except OSError:
                        return
                back = threading.Thread(target=pass_on, args=(server, client), daemon=True)
                back.start()
                pass_on(client, server)
                back.join()
                server.close()
                with suppress(OSError):
                    client.close()

        super().__init__(Handler)

    @property
    def environment(self) -> dict[str, str]:
        """What programs are told."""
        bundle = str(self.bundle)
        return {
            "HTTPS_PROXY": self.address,
            "https_proxy": self.address,
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": bundle,
            "REQUESTS_CA_BUNDLE": bundle,
            "PIP_CERT": bundle,
        }


def server_context(
    folder: Path, name: str, authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
) -> ssl.SSLContext:
    """Return what answers as a host."""
    certificate, key = new_certificate(name, authority)
    file = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def write_az(folder: Path) -> None:
    """Write `az` into a folder."""
    file = folder / "az"
    file.write_text(AZ.format(python=sys.executable, entra=ENTRA), encoding="utf-8")
    file.chmod(0o755)


@contextmanager
def azure_names(folder: Path, log_in_server: LogIn, leads: Mapping[str, str]) -> Iterator[Names]:
    """Hold the proxy for Entra and for what else is led."""
    with Names(folder, {ENTRA: log_in_server.address, **leads}) as names:
        yield names
