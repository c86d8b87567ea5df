"""Apps, datasets and workerpools: deploy, show, count, hand over (chain.md §4, §13.4).

The three kinds differ only in their registry functions and getters, which are tables in
``protocol/contracts.py``; the classes here write the public names out.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import BinaryIO, ClassVar

from ..errors import ObjectNotFoundError, StateError, ValidationError
from ..log import log
from ..protocol import cipher, columns, multiaddr
from ..protocol.contracts import ENTRY, HUB, REGISTRY, RESOURCE, Method
from ..protocol.detached import SigningRequest
from ..protocol.methods import Read
from ..protocol.objects import App, Dataset, ProtocolObject, Workerpool
from ..protocol.orders import NULL_ADDRESS
from .authorize import Given, read_given, who
from .context import Context
from .offchain import workerpool_url
from .purchase import Purchasing
from .records import Deployed, OwnershipTransfer, Resource
from .secrets import app_request, check_secret, push_fixed_secret, resource_request, secret_path

__all__ = ["Apps", "Datasets", "Workerpools"]


Loose = Mapping[str, object]


class Assets:
    """What the three kinds share."""

    kind: ClassVar[str]
    record: ClassVar[type[ProtocolObject]]

    def __init__(self, context: Context) -> None:
        self._context = context

    def _predict(self, value: ProtocolObject | Loose) -> str:
        context = self._context
        arguments = context.record(self.record, value).packed()
        predict: Method = getattr(REGISTRY, f"predict{self.kind.capitalize()}")
        return str(context.read(context.registry(self.kind), predict, *arguments))

    def _is_deployed(self, address: str) -> bool:
        context = self._context
        pointer = context.resolve(address, self.kind)
        return context.read(context.registry(self.kind), REGISTRY.isRegistered, pointer) is True

    def _deploy(self, value: ProtocolObject | Loose, new: bool) -> Deployed:
        context, name = self._context, self.kind.capitalize()
        record = context.record(self.record, value)
        if record.values()["owner"] == NULL_ADDRESS:
            raise ValidationError(
                "owner is the zero address: give the address of who is to own and sell this "
                f"{self.kind}"
            )
        registry = context.registry(self.kind)
        create: Method = getattr(REGISTRY, f"create{name}")

        def check() -> None:
            predicted = self._predict(record)
            if context.read(registry, REGISTRY.isRegistered, predicted):
                raise StateError(
                    f"{name} already deployed at address {predicted}",
                    details={"address": predicted},
                )

        sent = context.send(
            f"deploy{name}",
            record.to_dict(),
            registry,
            create.encode(*record.packed()),
            expect=[(REGISTRY.Transfer, registry)],
            check=check,
            new=new,
        )
        return Deployed(address=_token_address(sent.events[0]["tokenId"]), tx_hash=sent.tx_hash)

    def _show(self, address: str) -> Resource:
        context = self._context
        pointer = context.resolve(address, self.kind)
        registry = context.registry(self.kind)
        getters: Mapping[str, Method] = RESOURCE[self.kind]
        # All in one round trip, though the answers count only if the first is yes.
        reads = [(registry, REGISTRY.isRegistered, (pointer,)), *self._reads(pointer)]
        found = context.read_many(reads)
        if found[0] is False:
            raise ObjectNotFoundError(self.kind, pointer, context.chain.id)
        values = context.checked(reads, found)[1:]
        if context.chain.rules.resource_views:
            (view,) = values
            assert isinstance(view, dict)  # noqa: S101  # a struct decodes as dict
            known = {**view, "registry": registry}
            values = [known[getter.name] for getter in getters.values()]
        properties = {key: _text(key, value) for key, value in zip(getters, values, strict=True)}
        return Resource(obj_address=pointer, kind=self.kind, properties=properties)

    def _reads(self, pointer: str) -> list[Read]:
        """What tells all about a resource: one view of the hub, or each of its getters."""
        context = self._context
        if context.chain.rules.resource_views:
            return [(context.hub, getattr(HUB, f"view{self.kind.capitalize()}"), (pointer,))]
        return [(pointer, getter, ()) for getter in RESOURCE[self.kind].values()]

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

    def _transfer(self, address: str, to: str, new: bool) -> OwnershipTransfer:
        context, kind = self._context, self.kind
        pointer, receiver = context.resolve(address, kind), context.resolve(to, "to")
        if receiver == NULL_ADDRESS:
            raise ValidationError(f"to is the zero address, which can own no {kind}")
        registry = context.registry(kind)
        token = int(pointer, 16)

        def check() -> None:
            if not self._is_deployed(pointer):
                raise ObjectNotFoundError(kind, pointer, context.chain.id)
            owner = context.read(pointer, ENTRY.owner)
            if owner != context.address:
                raise StateError(
                    f"Only {kind} owner can transfer {kind} ownership: the owner of {pointer} is "
                    f"{owner}"
                )

        sent = context.send(
            f"transfer{kind.capitalize()}",
            {"address": pointer, "to": receiver},
            registry,
            REGISTRY.safeTransferFrom.encode(context.address, receiver, token),
            expect=[(REGISTRY.Transfer, registry)],
            check=check,
            new=new,
        )
        return OwnershipTransfer(address=pointer, to=receiver, tx_hash=sent.tx_hash)

    def _owned(self, address: str, signer: str | None) -> tuple[str, str]:
        """Address and owner of a resource, which must be ``signer`` if that is given."""
        found = self._show(address)
        owner = str(found.properties["owner"])
        if signer is not None and signer != owner:
            raise StateError(
                f"Wallet {signer} is not allowed to set secret for {found.obj_address}: its owner "
                f"is {owner}"
            )
        return found.obj_address, owner


class Apps(Purchasing, Assets):
    """Reached as ``iexec.app``; what buys a run is in ``purchase.py``."""

    kind = "app"
    record = App

    def deploy_app(self, app: App | Loose, *, new: bool = False) -> Deployed:
        """Create the app's contract; its address follows from owner and content.

        Raises StateError where the same app is already deployed.
        """
        context = self._context
        record = context.record(App, app)
        if record.mrenclave and not context.chain.rules.app_mrenclave:
            log.warning(
                "an app with an mrenclave is not run on %s: today's TEE apps are ordinary images",
                context.chain.name,
            )
        return self._deploy(record, new)

    def show_app(self, address: str) -> Resource:
        """The app at this address. Raises ObjectNotFoundError."""
        return self._show(address)

    def show_user_app(self, index: int, user: str) -> Resource:
        """The user's app number ``index``, from 0. Raises StateError beyond the last."""
        return self._show_user(index, user)

    def count_user_apps(self, user: str) -> int:
        """How many apps the user owns."""
        return self._count_user(user)

    def predict_app_address(self, app: App | Loose) -> str:
        """The address that this app has or would have: it follows from owner and content."""
        return self._predict(app)

    def check_deployed_app(self, address: str) -> bool:
        """Whether an app is deployed at this address."""
        return self._is_deployed(address)

    def transfer_app(self, address: str, to: str, *, new: bool = False) -> OwnershipTransfer:
        """Give the wallet's app to ``to``, which signs and earns from then on.

        Orders signed before are void: the new owner has not signed them. A contract can receive it
        only if it accepts ERC-721. StateError for anybody but the owner, ObjectNotFoundError where
        there is no such app.
        """
        return self._transfer(address, to, new)

    def push_app_secret(self, address: str, secret: str, *, signature: Given = None) -> bool:
        """Give the SMS the secret of an app, for its owner, once and for all. True.

        The app reads it as ``IEXEC_APP_DEVELOPER_SECRET``, in an enclave alone. ``signature`` is a
        signed :meth:`push_app_secret_request`. StateError for anybody but the owner, and where a
        secret is set already; ConfigurationError on networks of V6, which have no such secrets.
        """
        context, given = self._context, read_given(signature)
        path, value = secret_path(context, "app"), check_secret(secret, "the secret")
        app, owner = self._owned(address, who(context, given))
        wanted = app_request(context, app, owner, value)
        push_fixed_secret(context, path, wanted, value, given=given, address=app)
        return True

    def push_app_secret_request(
        self, address: str, secret: str, *, signer: str | None = None
    ) -> SigningRequest:
        """What the app's owner has to sign for :meth:`push_app_secret`."""
        value = check_secret(secret, "the secret")
        app, owner = self._owned(address, signer)
        return app_request(self._context, app, owner, value)

    def check_app_secret_exists(self, address: str) -> bool:
        """Whether the SMS has a secret of this app."""
        context = self._context
        path = secret_path(context, "app")
        return context.sms.exists(path, address=context.resolve(address, "app"))


class Datasets(Assets):
    """Reached as ``iexec.dataset``. Encryption is local: it contacts nothing."""

    kind = "dataset"
    record = Dataset

    def deploy_dataset(self, dataset: Dataset | Loose, *, new: bool = False) -> Deployed:
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

    def predict_dataset_address(self, dataset: Dataset | Loose) -> str:
        """The address that this dataset has or would have: it follows from owner and content."""
        return self._predict(dataset)

    def check_deployed_dataset(self, address: str) -> bool:
        """Whether a dataset is deployed at this address."""
        return self._is_deployed(address)

    def transfer_dataset(self, address: str, to: str, *, new: bool = False) -> OwnershipTransfer:
        """Give the wallet's dataset to ``to``, which signs and earns from then on.

        Orders signed before are void: the new owner has not signed them. A contract can receive it
        only if it accepts ERC-721. StateError for anybody but the owner, ObjectNotFoundError where
        there is no such dataset.
        """
        return self._transfer(address, to, new)

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
        path = context.chain.rules.sms_dataset_path
        push_fixed_secret(context, path, wanted, key, given=given, address=dataset)
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


class Workerpools(Assets):
    """Reached as ``iexec.workerpool``."""

    kind = "workerpool"
    record = Workerpool

    def deploy_workerpool(self, workerpool: Workerpool | Loose, *, new: bool = False) -> Deployed:
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

    def predict_workerpool_address(self, workerpool: Workerpool | Loose) -> str:
        """The address that this workerpool has or would have: it follows from owner and content."""
        return self._predict(workerpool)

    def check_deployed_workerpool(self, address: str) -> bool:
        """Whether a workerpool is deployed at this address."""
        return self._is_deployed(address)

    def transfer_workerpool(self, address: str, to: str, *, new: bool = False) -> OwnershipTransfer:
        """Give the wallet's workerpool to ``to``, which signs and earns from then on.

        Orders signed before are void: the new owner has not signed them. A contract can receive it
        only if it accepts ERC-721. StateError for anybody but the owner, ObjectNotFoundError where
        there is no such workerpool.
        """
        return self._transfer(address, to, new)

    def get_workerpool_api_url(self, address: str) -> str | None:
        """Where the workerpool's scheduler tells about tasks, None where nobody knows.

        CompassCallError where the register of workerpools fails.
        """
        return workerpool_url(self._context, self._context.resolve(address, "workerpool"))


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
