"""The three bodies of the benchmark: a short question, a clinical note, a ten-turn conversation. Invented patients.

Each call gives another patient, so that no answer comes from a cache of whole requests. A conversation keeps its
first nine turns over its life and changes the last message alone, as a chat does.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator

FIRST = ("Maria", "John", "Ana", "Peter", "Luisa", "Omar", "Grace", "Tomás", "Helen", "Ivo", "Clara", "Samuel")
LAST = ("Souza", "Carter", "Lindqvist", "Moreira", "Okafor", "Weber", "Rossi", "Duarte", "Hughes", "Jansen")
DRUGS = ("amoxicillin", "lisinopril", "metformin", "apixaban", "levothyroxine", "prednisone")
SIGNS = ("fever", "dyspnoea", "chest pain", "confusion", "a productive cough", "ankle swelling")


def _patient(dice: random.Random) -> dict[str, str]:
    return {
        "name": f"{dice.choice(FIRST)} {dice.choice(LAST)}",
        "mrn": str(dice.randrange(10**6, 10**7)),
        "day": f"{dice.randrange(1, 28):02d}/{dice.randrange(1, 12):02d}/2026",
        "age": str(dice.randrange(20, 88)),
        "drug": dice.choice(DRUGS),
        "sign": dice.choice(SIGNS),
        "dose": str(dice.randrange(5, 500, 5)),
        "phone": f"(617) 555-{dice.randrange(1000, 9999)}",
    }


def short_question(dice: random.Random) -> str:
    """About 140 characters."""
    p = _patient(dice)
    text = f"{p['name']}, {p['age']} years, MRN {p['mrn']}, has {p['sign']} since {p['day']}. "
    return f"{text}Is {p['drug']} {p['dose']} mg daily safe with this renal function and no allergies?"[:140]


def note(dice: random.Random) -> str:
    """About 900 characters."""
    p = _patient(dice)
    return (
        f"DISCHARGE SUMMARY\nPatient: {p['name']}   MRN: {p['mrn']}   Admitted: {p['day']}\n"
        f"The patient is a {p['age']}-year-old who presented to the emergency department with {p['sign']} for three "
        "days. Blood pressure 142/88 mmHg, heart rate 96 bpm, oxygen saturation 93 % on room air, temperature 38.4 C. "
        "Laboratory: haemoglobin 11.2 g/dL, white cells 14.3, creatinine 1.4 mg/dL, CRP 88 mg/L, troponin negative. "
        "Chest radiograph showed a left lower lobe consolidation without effusion. Treated with ceftriaxone 1 g daily "
        f"for five days, then {p['drug']} {p['dose']} mg by mouth. Discussed with the family; the daughter will call "
        f"{p['phone']} if symptoms return. Follow-up in the clinic in two weeks with repeat creatinine and a chest "
        "film. No known drug allergies. Code status: full. Diet: low sodium. Activity as tolerated. Please summarise "
        "the admission for the general practitioner in plain language and list what remains to be done."
    )[:900]


def _body(messages: list[dict[str, str]]) -> bytes:
    return json.dumps({"model": "clinical-default", "messages": messages}, ensure_ascii=False).encode()


def bodies(kind: str, seed: int = 7) -> Iterator[bytes]:
    """Yield bodies of one kind without end: short, note or conversation."""
    dice = random.Random(seed)
    history = [{"role": ("user", "assistant")[turn % 2], "content": note(random.Random(turn))} for turn in range(9)]
    for number in itertools.count():
        match kind:
            case "short":
                yield _body([{"role": "user", "content": short_question(dice)}])
            case "note":
                yield _body([{"role": "user", "content": note(dice)}])
            case _:
                yield _body([*history, {"role": "user", "content": f"{short_question(dice)} ({number})" * 5}])
