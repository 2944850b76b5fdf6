"""The command that serves: it answers browsers until it is stopped."""

from functools import partial

import click

from fewest.command_line.options import with_artifacts, with_storage

__all__ = ["dashboard"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; others need a password.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 takes any.")
@click.option("--edit", is_flag=True, help="Let the pages change studies; without it they only show them.")
@click.option(
    "--password-file", metavar="FILE", help="File with the password to ask for; or set FEWEST_DASHBOARD_PASSWORD."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the dashboard in a browser.")
@with_artifacts
@with_storage
def dashboard(
    host: str,
    port: int,
    edit: bool,
    password_file: str | None,
    open_browser: bool,
    artifacts: str | None,
    url: str,
) -> None:
    """Serve optuna-dashboard and reports for the studies in the storage, for this machine alone and read-only.

    Example: fewest dashboard --port 8081 --open
    """
    from fewest.dashboards.console import err, say
    from fewest.dashboards.login import given_password
    from fewest.dashboards.server import serve
    from fewest.storage.files.artifacts import Artifacts
    from fewest.storage.files.places import place_for

    serve(
        url,
        host=host,
        port=port,
        artifact_store=Artifacts(place_for(url, "artifacts", artifacts)).store(),
        edit=edit,
        password=given_password(password_file, partial(say, err())),
        open_browser=open_browser,
    )
