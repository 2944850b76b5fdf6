"""The commands that read: they show what a storage has, load no TensorFlow and never write to it."""

import json
from pathlib import Path

import click

from fewest.command_line.options import with_storage

__all__ = ["answer", "backup", "compare", "figures", "report", "studies", "watch"]


@click.command()
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@with_storage
def answer(name: str, form: str, url: str) -> None:
    """Print the fewest neurons that study NAME found for each target accuracy.

    Example: fewest answer mnist --format json
    """
    from fewest.dashboards.found import found
    from fewest.read_commands import print_answer_of

    if form == "json":
        click.echo(json.dumps(found(name, url).summary.to_json(), indent=2))
    else:
        print_answer_of(name, url)


@click.command()
@click.argument("names", metavar="NAME NAME...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="HTML file to write instead, with the fronts; or - for stdout.")
@with_storage
def compare(names: tuple[str, ...], form: str, output: str | None, url: str) -> None:
    """Compare studies with the first NAME: settings that differ, and whether answers differ by more than chance.

    NAME@URL names a study in another storage.

    Example: fewest compare relu tanh --output activations.html
    """
    from fewest.compare_command import compare_studies
    from fewest.storage.files.atomic import output_path

    compare_studies(names, url, form, output_path(output) if output else None)


@click.command()
@with_storage
def studies(url: str) -> None:
    """List the studies in the storage and their progress.

    Example: fewest studies --storage sqlite:///fewest.db
    """
    from fewest.dashboards.console import out
    from fewest.dashboards.found import all_studies
    from fewest.dashboards.text import print_studies

    print_studies(out(), all_studies(url))


@click.command()
@click.argument("name")
@with_storage
def watch(name: str, url: str) -> None:
    """Show study NAME while it runs: front, answer so far, workers, learning curves, what was pruned. q leaves.

    Without a terminal, print how it stands and end.

    Example: fewest watch mnist --storage postgresql://me@server/studies
    """
    from fewest.watch_command import watch_study

    watch_study(name, url)


@click.command()
@click.argument("file")
@with_storage
def backup(file: str, url: str) -> None:
    """Copy the storage, a SQLite file, to FILE. Studies may run meanwhile.

    The copy has no trained networks and no checkpoints: they lie in folders beside the storage.

    Example: fewest backup monday.db
    """
    from fewest.storage.files.atomic import output_path
    from fewest.storage.files.backup import back_up

    back_up(url, output_path(file))
    click.echo(file)


@click.command()
@click.argument("name")
@click.option("--output", metavar="FILE", help="File to write, or - for stdout; by default NAME.html.")
@with_storage
def report(name: str, output: str | None, url: str) -> None:
    """Write a report of study NAME: one HTML file that opens offline.

    Example: fewest report mnist --output mnist.html
    """
    from fewest.read_commands import write_study_report
    from fewest.storage.files.atomic import is_stdout, output_path

    path = output_path(output) if output else Path(f"{name}.html")
    write_study_report(name, url, path)
    click.echo(path, err=is_stdout(path))


@click.command()
@click.argument("name")
@click.option("--output", metavar="FOLDER", help="Folder to write to; by default NAME-figures.")
@click.option("--dark", is_flag=True, help="Draw on dark paper.")
@with_storage
def figures(name: str, output: str | None, dark: bool, url: str) -> None:
    """Write every figure of study NAME as SVG and PNG; this needs Chromium or Chrome.

    Example: fewest figures mnist --output docs/figures
    """
    from fewest.figures_command import write_figures
    from fewest.storage.files.atomic import output_path

    folder = output_path(output) if output else Path(f"{name}-figures")
    for path in write_figures(name, url, folder, dark=dark):
        click.echo(path)
