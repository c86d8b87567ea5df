"""Apps, datasets and workerpools: deploy, show, count (chain.md §4).

The three kinds differ only in their registry functions and getters, which are tables in
``protocol/contracts.py``; the classes here write the public names out.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import BinaryIO, ClassVar

from ..errors import ObjectNotFoundError, StateError, ValidationError
from ..protocol import cipher, columns, multiaddr
from ..protocol.contracts import REGISTRY, RESOURCE, Method
from ..protocol.detached import SigningRequest
from ..protocol.objects import App, Dataset, ProtocolObject, Workerpool
from ..protocol.orders import NULL_ADDRESS
from .authorize import Given, read_given, who
from .context import Context
from .purchase import Purchasing
from .records import Deployed, Resource
from .secrets import check_secret, push_resource_secret, resource_request

__all__ = ["Apps", "Datasets", "Workerpools"]


class Assets:
    """What the three kinds share."""

    kind: ClassVar[str]
    record: ClassVar[type[ProtocolObject]]

    def __init__(self, context: Context) -> None:
        self._context = context

    def _deploy(self, value: ProtocolObject | Mapping[str, object], new: bool) -> Deployed:
        context, name = self._context, self.kind.capitalize()
        record = context.record(self.record, value)
        if record.values()["owner"] == NULL_ADDRESS:
            raise ValidationError(
                "owner is the zero address: give the address of who is to own and sell this "
                f"{self.kind}"
            )
        arguments = record.packed()
        registry = context.registry(self.kind)
        predict: Method = getattr(REGISTRY, f"predict{name}")
        create: Method = getattr(REGISTRY, f"create{name}")

        def check() -> None:
            predicted = str(context.read(registry, predict, *arguments))
            if context.read(registry, REGISTRY.isRegistered, predicted):
                raise StateError(
                    f"{name} already deployed at address {predicted}",
                    details={"address": predicted},
                )

        sent = context.send(
            f"deploy{name}",
            record.to_dict(),
            registry,
            create.encode(*arguments),
            expect=[(REGISTRY.Transfer, registry)],
            check=check,
            new=new,
        )
        return Deployed(address=_token_address(sent.events[0]["tokenId"]), tx_hash=sent.tx_hash)

    def _show(self, address: str) -> Resource:
        context = self._context
        pointer = context.resolve(address, self.kind)
        registry = context.registry(self.kind)
        if not context.read(registry, REGISTRY.isRegistered, pointer):
            raise ObjectNotFoundError(self.kind, pointer, context.chain.id)
        getters: Mapping[str, Method] = RESOURCE[self.kind]
        values = context.read_all([(pointer, getter, ()) for getter in getters.values()])
        properties = {key: _text(key, value) for key, value in zip(getters, values, strict=True)}
        return Resource(obj_address=pointer, kind=self.kind, properties=properties)

    def _show_user(self, index: int, user: str) -> Resource:
        context = self._context
        owner = context.resolve(user, "user")
        position = columns.parse_uint(index, "index")
        count = self._count_user(owner)
        if position >= count:
            raise StateError(
                f"{self.kind} not deployed: {owner} has {count}, there is no index {position}"
            )
        registry = context.registry(self.kind)
        token = context.read(registry, REGISTRY.tokenOfOwnerByIndex, owner, position)
        return self._show(_token_address(token))

    def _count_user(self, user: str) -> int:
        context = self._context
        owner = context.resolve(user, "user")
        return int(str(context.read(context.registry(self.kind), REGISTRY.balanceOf, owner)))


class Apps(Purchasing, Assets):
    """Reached as ``iexec.app``; what buys a run is in ``purchase.py``."""

    kind = "app"
    record = App

    def deploy_app(self, app: App | Mapping[str, object], *, new: bool = False) -> Deployed:
        """Create the app's contract; its address follows from owner and content.

        Raises StateError where the same app is already deployed.
        """
        return self._deploy(app, new)

    def show_app(self, address: str) -> Resource:
        """The app at this address. Raises ObjectNotFoundError."""
        return self._show(address)

    def show_user_app(self, index: int, user: str) -> Resource:
        """The user's app number ``index``, from 0. Raises StateError beyond the last."""
        return self._show_user(index, user)

    def count_user_apps(self, user: str) -> int:
        """How many apps the user owns."""
        return self._count_user(user)


class Datasets(Assets):
    """Reached as ``iexec.dataset``. Encryption is local: it contacts nothing."""

    kind = "dataset"
    record = Dataset

    def deploy_dataset(
        self, dataset: Dataset | Mapping[str, object], *, new: bool = False
    ) -> Deployed:
        """Create the dataset's contract; its address follows from owner and content.

        Raises StateError where the same dataset is already deployed.
        """
        return self._deploy(dataset, new)

    def show_dataset(self, address: str) -> Resource:
        """The dataset at this address. Raises ObjectNotFoundError."""
        return self._show(address)

    def show_user_dataset(self, index: int, user: str) -> Resource:
        """The user's dataset number ``index``, from 0. Raises StateError beyond the last."""
        return self._show_user(index, user)

    def count_user_datasets(self, user: str) -> int:
        """How many datasets the user owns."""
        return self._count_user(user)

    def generate_encryption_key(self) -> str:
        """A new dataset key: base64 of 32 random bytes."""
        return cipher.generate_encryption_key()

    def encrypt(self, file: bytes, key: str) -> bytes:
        """The encrypted dataset: IV (16 bytes), then AES-256-CBC (services.md §6.1)."""
        return cipher.encrypt_dataset(file, key)

    def encrypt_file(self, src: str | PathLike[str], dst: str | PathLike[str], key: str) -> str:
        """Encrypt a file of any size in constant memory. Returns the checksum for the contract."""
        return cipher.encrypt_dataset_stream(src, dst, key)

    def compute_encrypted_file_checksum(self, file: bytes | str | PathLike[str] | BinaryIO) -> str:
        """``0x`` sha256 of an *encrypted* file: bytes, a path or an open binary file."""
        return cipher.checksum(file)

    def push_dataset_secret(self, address: str, secret: str, *, signature: Given = None) -> bool:
        """Give the SMS the key of an encrypted dataset, for its owner, once and for all. True.

        ``signature`` is a signed :meth:`push_dataset_secret_request`. StateError for anybody but
        the owner, and where a secret is set already.
        """
        context, given = self._context, read_given(signature)
        key = check_secret(secret, "the secret")
        dataset, owner = self._owned(address, who(context, given))
        wanted = resource_request(context, dataset, owner, key)
        push_resource_secret(context, wanted, dataset, key, given=given)
        return True

    def push_dataset_secret_request(
        self, address: str, secret: str, *, signer: str | None = None
    ) -> SigningRequest:
        """What the dataset's owner has to sign for :meth:`push_dataset_secret`."""
        context, key = self._context, check_secret(secret, "the secret")
        dataset, owner = self._owned(address, signer)
        return resource_request(context, dataset, owner, key)

    def check_dataset_secret_exists(self, address: str) -> bool:
        """Whether the SMS has a secret of this dataset."""
        context = self._context
        dataset = context.resolve(address, "dataset")
        return context.sms.exists(context.chain.rules.sms_dataset_path, address=dataset)

    def _owned(self, address: str, signer: str | None) -> tuple[str, str]:
        """Address and owner of a dataset, which must be ``signer`` if that is given."""
        found = self._show(address)
        owner = str(found.properties["owner"])
        if signer is not None and signer != owner:
            raise StateError(
                f"Wallet {signer} is not allowed to set secret for {found.obj_address}: its owner "
                f"is {owner}"
            )
        return found.obj_address, owner


class Workerpools(Assets):
    """Reached as ``iexec.workerpool``."""

    kind = "workerpool"
    record = Workerpool

    def deploy_workerpool(
        self, workerpool: Workerpool | Mapping[str, object], *, new: bool = False
    ) -> Deployed:
        """Create the workerpool's contract. Raises StateError where it is already deployed."""
        return self._deploy(workerpool, new)

    def show_workerpool(self, address: str) -> Resource:
        """The workerpool at this address. Raises ObjectNotFoundError."""
        return self._show(address)

    def show_user_workerpool(self, index: int, user: str) -> Resource:
        """The user's workerpool number ``index``, from 0. Raises StateError beyond the last."""
        return self._show_user(index, user)

    def count_user_workerpools(self, user: str) -> int:
        """How many workerpools the user owns."""
        return self._count_user(user)


def _token_address(token_id: object) -> str:
    """A registry's token id is the contract's address as an integer (chain.md §4.1)."""
    return columns.address_from_int(int(str(token_id)))


def _text(key: str, value: object) -> object:
    """Multiaddresses and enclave measurements are stored as bytes and shown as text."""
    if not isinstance(value, bytes):
        return value
    return (
        multiaddr.to_text(value) if key.endswith("Multiaddr") else value.decode("utf-8", "replace")
    )
