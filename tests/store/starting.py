"""Services that start at once on one database."""

from threading import Barrier, Thread

from cairn.store import migrations
from cairn.store.connecting import checked, connected


def start_at_once(url: str, services: int) -> list[Exception]:
    """Have so many make the database ready; what has failed."""
    together = Barrier(services)
    failed: list[Exception] = []

    def start() -> None:
        engine = connected(checked(url), 2)
        together.wait()
        try:
            migrations.prepare(engine)
        except Exception as error:  # the test says which
            failed.append(error)
        finally:
            engine.dispose()

    threads = [Thread(target=start) for _ in range(services)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return failed
