"""``iexec-lite category init | create | show | count`` (cli.md §8.13)."""

from __future__ import annotations

import argparse

from . import assets, flags, output, project, templates, text, wallets
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    group.command(
        "init",
        init_category,
        "write a category to fill in into iexec.json",
        example="category init",
    )
    create = group.command(
        "create",
        create_category,
        "put the category of iexec.json on the chain, as the hub's owner",
        example="category create",
    )
    wallets.add_load_options(create)
    flags.add_transaction(create)
    show = group.command(
        "show",
        show_category,
        "one category, by its index from 0",
        arguments="INDEX",
        example="category show 0",
    )
    show.add_argument("index", metavar="INDEX", help="number of the category, from 0")
    count = group.command(
        "count", count_categories, "how many categories there are", example="category count"
    )
    for parser in (create, show, count):
        flags.add_node(parser)


def init_category(options: argparse.Namespace) -> output.Result:
    """The template of a category."""
    return assets.write_template("category", templates.CATEGORY, options, owned=False)


def create_category(options: argparse.Namespace) -> output.Result:
    """Add the category of iexec.json to the hub."""
    selection = project.selected_chain(options)
    entry = assets.entry_of("category")
    wallet = wallets.require(options)
    with project.connect(selection, options, wallet) as client:
        made = client.hub.create_category(entry, new=options.new)
    index = str(made["catid"])
    return output.Result(
        payload={"catid": index, "txHash": made["txHash"]},
        text=f"New category created with catid {index}",
    )


def show_category(options: argparse.Namespace) -> output.Result:
    """Name, description and times of a category."""
    selection = project.selected_chain(options)
    with project.connect(selection, options) as client:
        found = client.hub.show_category(options.index)
        index = int(options.index)
        longest = client.hub.longest(index)
    category = {**found.to_dict(), "workClockTimeRef": str(found.workClockTimeRef)}
    shown = {
        "name": found.name,
        "description": found.description,
        "work time": f"{text.duration(found.workClockTimeRef)} ({found.workClockTimeRef} seconds)",
        "deadline": f"{text.duration(longest)} after the deal ({longest} seconds)",
    }
    return output.Result(
        payload={"index": str(index), "category": category},
        text=f"Category {index}\n{output.render(shown, 2)}",
    )


def count_categories(options: argparse.Namespace) -> output.Result:
    """How many categories the hub has."""
    selection = project.selected_chain(options)
    with project.connect(selection, options) as client:
        number = client.hub.count_category()
    said = f"iExec hub has a total of {number} categories: 0 to {number - 1}"
    return output.Result(payload={"count": str(number)}, text=said)
