"""Open pages of a dashboard, for `benchmarks.dashboard`: a light program, so that it costs the study beside it little.

    python -m benchmarks.open_pages PORT STUDY READERS PAUSE

Prints a line when it begins. It reads until its standard input ends, then prints a JSON object: in `seconds` those of
each good answer, from the request to the last byte, and in `failed` what each failed request got.
"""

import argparse
import gzip
import http.client
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

LOWEST_PRIORITY = 19


@dataclass
class Readings:
    """What readers saw, and the processor time that the dashboard took for them."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    processor_seconds: float = 0.0


def asked(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Ask for a path as a browser does; return status and body."""
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body


def read_on(port: int, name: str, pause: float, offset: float, ended: threading.Event, readings: Readings) -> None:
    """Read a study as one open page does, until the end: all of it first, then what is new."""
    ended.wait(offset)
    connection, study, n_known = http.client.HTTPConnection("127.0.0.1", port, timeout=120), None, 0
    while not ended.is_set():
        path = "/api/studies" if study is None else f"/api/studies/{study}?after={n_known}"
        began = time.perf_counter()
        try:
            status, body = asked(connection, path)
        except (OSError, http.client.HTTPException) as error:
            readings.failed.append(repr(error))
            connection.close()
        else:
            if status != 200:
                readings.failed.append(str(status))
                ended.wait(pause)
                continue
            readings.seconds.append(time.perf_counter() - began)
            if study is None:
                listed = json.loads(body)["study_summaries"]
                study = next((one["study_id"] for one in listed if one["study_name"] == name), None)
            else:
                n_known += len(json.loads(body)["trials"])
        ended.wait(pause)
    connection.close()


def main() -> None:
    """Read until the standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("study", help="Name of the study to read.")
    parser.add_argument("readers", type=int)
    parser.add_argument("pause", type=float, help="Seconds between an answer and the next question.")
    given = parser.parse_args()
    os.nice(LOWEST_PRIORITY)
    readings, ended = Readings(), threading.Event()
    threads = [
        threading.Thread(
            target=read_on,
            args=(given.port, given.study, given.pause, given.pause * place / given.readers, ended, readings),
        )
        for place in range(given.readers)
    ]
    for thread in threads:
        thread.start()
    print("reading", flush=True)
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(asdict(readings)))


if __name__ == "__main__":
    main()
