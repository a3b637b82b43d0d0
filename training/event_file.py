"""Writes scalars to an event file for TensorBoard.

TensorBoard reads records (length, its checksum, message, its checksum) whose messages are protocol buffers: an Event
of tensorflow/core/util/event.proto. The few fields that scalars need are written here, because the libraries that write
them load a deep-learning framework, which takes longer than everything else that a run loads.
"""

import socket
import struct
import time

_POLYNOMIAL = 0x82F63B78  # of CRC-32C (RFC 3720), its bits reversed


def _checksum_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _checksum_table()


class EventFile:
    """PREFIX.out.tfevents.<seconds>.<host>; what is written waits for `flush`."""

    def __init__(self, prefix: str):
        self._file = open(f"{prefix}.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}", "wb")  # noqa: SIM115
        self._write(_bytes(3, b"brain.Event:2"))

    def start(self, step: int) -> None:
        """Says that a session starts: TensorBoard hides what an interrupted one wrote from this step on."""
        self._write(_integer(2, step) + _bytes(7, _integer(1, 1)))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Adds a value."""
        summary = _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
        self._write(_integer(2, step) + _bytes(5, _bytes(1, summary)))

    def flush(self) -> None:
        """Writes to disk what is waiting."""
        self._file.flush()

    def close(self) -> None:
        """Writes what is waiting and closes the file."""
        self._file.close()

    def _write(self, fields: bytes) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + fields
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))


def _checksum(data: bytes) -> bytes:
    """Returns the CRC-32C as records have it: rotated, and an offset added."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _integer(number: int, value: int) -> bytes:
    """Returns a field of a protocol buffer that holds an integer of at least 0."""
    return bytes([number << 3]) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    """Returns a field of a protocol buffer that holds a text or a message."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
