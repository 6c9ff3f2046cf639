# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# distutils: language=c++
"""The inner loops of screening, compiled: what the modules beside this one also do in numpy, text by text.

Each function gives exactly what its numpy twin gives, which is named in its docstring; tests/test_kernel.py holds the
two equal. Where this module could not be compiled, its twins do the work: the same findings, several times slower.

Every index into a table is either a code point, a sign from the table of signs, or a place that `Groups` has kept; every
index into a row is compared with its length first. That is why the checks of bounds are off.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DATA, PyUnicode_FromKindAndData, PyUnicode_GET_LENGTH, PyUnicode_KIND, PyUnicode_READ
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp.vector cimport vector

import numpy as np

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define prefetch(address) __builtin_prefetch(address)
    #else
    #define prefetch(address) ((void)(address))
    #endif
    """
    void prefetch(const void* address) noexcept nogil

cdef extern from "Python.h":
    enum: PyUnicode_4BYTE_KIND


# --- keys --------------------------------------------------------------------------------------------------------

cdef uint64_t _SPREAD = 0x9E3779B97F4A7C15u

cdef struct Level:
    const uint64_t* keys
    const int32_t* places
    int shift


cdef class Table:
    """keyed.KeyTable: distinct keys, each with its place."""

    cdef vector[Level] levels
    cdef const uint8_t* sieve
    cdef int sieve_shift
    cdef object arrays  # held, since the pointers lead into them

    def __init__(self, levels, sieve, sieve_shift):
        cdef const uint64_t[::1] keys
        cdef const int32_t[::1] places
        cdef const uint8_t[::1] bits = sieve
        cdef Level level
        self.arrays = (levels, sieve)
        self.sieve, self.sieve_shift = &bits[0], sieve_shift
        for own, where, shift in levels:
            keys, places = own, where
            level.keys, level.places, level.shift = &keys[0], &places[0], shift
            self.levels.push_back(level)

    cdef inline bint may(self, uint64_t key) noexcept nogil:
        cdef uint64_t bit = ((key ^ (key >> 32)) * _SPREAD) >> self.sieve_shift
        return (self.sieve[bit >> 3] >> (bit & 7)) & 1

    cdef inline void fetch(self, uint64_t key) noexcept nogil:
        """Have read from memory what `find` will need."""
        cdef uint64_t slot = ((key ^ (key >> 32)) * _SPREAD) >> self.levels[0].shift
        prefetch(&self.levels[0].keys[slot])
        prefetch(&self.levels[0].places[slot])

    cdef inline int64_t find(self, uint64_t key) noexcept nogil:
        """The place of a key, or -1."""
        cdef uint64_t mixed = (key ^ (key >> 32)) * _SPREAD
        cdef uint64_t bit = mixed >> self.sieve_shift
        cdef uint64_t slot
        cdef size_t i
        if not (self.sieve[bit >> 3] >> (bit & 7)) & 1:
            return -1
        for i in range(self.levels.size()):
            slot = mixed >> self.levels[i].shift
            if self.levels[i].keys[slot] == key:
                return self.levels[i].places[slot] if key else -1
            if self.levels[i].keys[slot] == 0:
                return -1
        return -1


cdef class Groups:
    """keyed.Groups: several entries under one key."""

    cdef Table table
    cdef const int64_t[::1] first
    cdef const int64_t[::1] count
    cdef const int32_t[::1] entries

    def __init__(self, Table table, first, count, entries):
        self.table, self.first, self.count, self.entries = table, first, count, entries


# --- readings ----------------------------------------------------------------------------------------------------


cdef class Reading:
    """A reading of a text by a table over code points, which gives 0 for what is left out."""

    cdef const uint32_t[::1] table

    def __init__(self, table):
        self.table = table

    def kept(self, str text):
        """leet.Leet: what is not left out."""
        return self.read(text, False)

    def squeezed(self, str text):
        """fold.Buffer: the same with each run of one character written once, and without the first run."""
        return self.read(text, True)

    cdef str read(self, str text, bint runs):
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), at, length = 0
        cdef int kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef uint32_t image, last = 0
        cdef uint32_t[256] few
        cdef uint32_t* out = few
        cdef vector[uint32_t] many
        if size > 256:
            many.resize(size)
            out = many.data()
        for at in range(size):
            image = self.table[PyUnicode_READ(kind, data, at)]
            if image != 0 and not (runs and image == last):
                if not runs or last != 0:
                    out[length] = image
                    length += 1
                last = image
        return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, out, length)


cdef class Narrow:
    """hints.Hints: a reading of one byte a character."""

    cdef const uint8_t[::1] table

    def __init__(self, table):
        self.table = table

    def read(self, str text):
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), at
        cdef int kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef bytes narrow = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(narrow)
        for at in range(size):
            out[at] = self.table[PyUnicode_READ(kind, data, at)]
        return narrow


# --- spelling ----------------------------------------------------------------------------------------------------

cdef uint16_t _BREAK = 0, _SPACE = 0xFFFE, _SKIP = 0xFFFF
cdef bytes _ALPHABET = b"abcdefghijklmnopqrstuvwxyz0123456789"


cdef class Speller:
    """spelling.spell: a text as a row of signs."""

    cdef const uint16_t[::1] sign
    cdef uint16_t first_emoji, first_syllable, first_ascii
    cdef int64_t emoji_cost
    cdef object read

    def __init__(self, sign, first_emoji, first_syllable, first_ascii, emoji_cost, read):
        """`read` says how a word in Latin letters is read: see spelling._Read."""
        self.sign, self.emoji_cost, self.read = sign, emoji_cost, read
        self.first_emoji, self.first_syllable, self.first_ascii = first_emoji, first_syllable, first_ascii

    cdef inline bint latin(self, uint16_t sign) noexcept nogil:
        return self.first_ascii <= sign < _SPACE

    cdef inline bint written(self, uint16_t sign) noexcept nogil:
        return self.latin(sign) or (sign != _BREAK and sign < self.first_emoji)

    def spell(self, str text):
        """The fields of a Spelling."""
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), at, i, first, count = 0, to = 0
        cdef int kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef uint16_t sign
        cdef vector[uint16_t] signs
        cdef vector[int64_t] start, end, others, word_start, word_end
        cdef vector[uint8_t] keep
        cdef list words = []
        signs.reserve(size)
        start.reserve(size)
        for at in range(size):
            sign = self.sign[PyUnicode_READ(kind, data, at)]
            if sign != _SKIP:
                signs.push_back(sign)
                start.push_back(at)
        count = signs.size()
        end.resize(count)
        others.resize(count)
        keep.resize(count)
        for i in range(count):
            sign = signs[i]
            end[i] = start[i] + 1
            others[i] = self.emoji_cost if self.first_emoji <= sign < self.first_syllable else 0
            keep[i] = not (
                sign == _SPACE
                and 0 < i < count - 1
                and (
                    (self.latin(signs[i - 1]) and self.written(signs[i + 1]))
                    or (self.written(signs[i - 1]) and self.latin(signs[i + 1]))
                )
            )
        i = 0
        while i < count:
            if not self.latin(signs[i]):
                i += 1
                continue
            first = i
            while i < count and self.latin(signs[i]):
                i += 1
            word_start.push_back(start[first])
            word_end.push_back(end[i - 1])
            word = self.word(signs, first, i)
            words.append(word)
            cost, costs, syllables = self.read(word)
            others[first] = cost
            for place, cost in costs:
                others[first + <Py_ssize_t>place] = cost
            for begin, stop, spelt in syllables:
                signs[first + <Py_ssize_t>begin] = spelt
                end[first + <Py_ssize_t>begin] = end[first + <Py_ssize_t>stop - 1]
                for at in range(first + <Py_ssize_t>begin + 1, first + <Py_ssize_t>stop):
                    keep[at] = False
        cdef Py_ssize_t left = 0
        for i in range(count):
            left += keep[i]
        out_signs, out_han = np.empty(left, np.uint16), np.empty(left, np.bool_)
        out_start, out_end, out_others = np.empty(left, np.int64), np.empty(left, np.int64), np.empty(left, np.int64)
        cdef uint16_t[::1] to_signs = out_signs
        cdef uint8_t[::1] to_han = out_han.view(np.uint8)
        cdef int64_t[::1] to_start = out_start, to_end = out_end, to_others = out_others
        for i in range(count):
            if keep[i]:
                sign = _BREAK if signs[i] == _SPACE else signs[i]
                to_signs[to], to_start[to], to_end[to], to_others[to] = sign, start[i], end[i], others[i]
                to_han[to] = sign != _BREAK and sign < self.first_emoji
                to += 1
        return out_signs, out_start, out_end, out_han, out_others, words, _array(word_start), _array(word_end)

    cdef str word(self, const vector[uint16_t]& signs, Py_ssize_t first, Py_ssize_t last):
        cdef bytearray letters = bytearray(last - first)
        cdef Py_ssize_t i
        for i in range(first, last):
            letters[i - first] = <uint8_t>_ALPHABET[signs[i] - self.first_ascii]
        return letters.decode("ascii")


cdef object _array(const vector[int64_t]& values):
    made = np.empty(values.size(), np.int64)
    cdef int64_t[::1] view = made
    cdef size_t i
    for i in range(values.size()):
        view[i] = values[i]
    return made


# --- words -------------------------------------------------------------------------------------------------------

cdef int64_t _NEVER = <int64_t>1 << 40


cdef class Explainer:
    """segment.Words.explain: the cost of the best segmentation, at every place at once."""

    cdef Table table
    cdef const int64_t[::1] alone
    cdef const int64_t[::1] costs
    cdef int longest
    cdef Py_ssize_t piece

    def __init__(self, Table table, alone, costs, longest, piece):
        self.table, self.alone, self.costs, self.longest, self.piece = table, alone, costs, longest, piece

    def explain(self, const uint16_t[::1] signs, const uint8_t[::1] han, const int64_t[::1] others):
        """(before, after): see segment.Explained."""
        cdef Py_ssize_t size = signs.shape[0], at = 0, start, end, i, length
        cdef int64_t whole = 0, best, one
        cdef uint64_t key
        cdef int64_t found
        cdef vector[int64_t] prefix, suffix, word
        out_before, out_after = np.empty(size + 1, np.int64), np.empty(size + 1, np.int64)
        cdef int64_t[::1] before = out_before, after = out_after
        before[0] = after[0] = 0
        word.resize(self.piece * self.longest)
        prefix.resize(self.piece + 1)
        suffix.resize(self.piece + 1)
        while at < size:
            if not han[at]:
                whole += others[at]
                at += 1
                before[at] = after[at] = whole
                continue
            start = at
            while at < size and han[at] and at - start < self.piece:
                at += 1
            end = at
            for i in range(end - start):
                word[i * self.longest] = self.alone[signs[start + i]]
                key = signs[start + i]
                for length in range(2, self.longest + 1):
                    if i + length > end - start:
                        word[i * self.longest + length - 1] = _NEVER
                        continue
                    key = (key << 16) | signs[start + i + length - 1]
                    found = self.table.find(key)
                    word[i * self.longest + length - 1] = self.costs[found] if found >= 0 else _NEVER
            prefix[0] = 0
            for i in range(1, end - start + 1):
                best = prefix[i - 1] + word[(i - 1) * self.longest]
                for length in range(2, min(self.longest, i) + 1):
                    one = prefix[i - length] + word[(i - length) * self.longest + length - 1]
                    if one < best:
                        best = one
                prefix[i] = best
            suffix[end - start] = 0
            for i in range(end - start - 1, -1, -1):
                best = suffix[i + 1] + word[i * self.longest]
                for length in range(2, min(self.longest, end - start - i) + 1):
                    one = suffix[i + length] + word[i * self.longest + length - 1]
                    if one < best:
                        best = one
                suffix[i] = best
            for i in range(end - start):
                before[start + i + 1] = whole + prefix[i + 1]
            one = whole + prefix[end - start]
            for i in range(end - start):
                after[start + i] = one - suffix[i]
            whole = one
            after[end] = whole
        return out_before, out_after


# --- likeness ----------------------------------------------------------------------------------------------------

cdef int64_t _IMPOSSIBLE = 1 << 30


cdef class Alike:
    """guesses.Alike: a way in which one sign can stand for another."""

    cdef const uint16_t[:, ::1] values
    cdef const int32_t[:, ::1] costs
    cdef const int32_t[:, ::1] seen_costs
    cdef const uint64_t[::1] digest

    def __init__(self, values, costs, seen_costs, digest):
        self.values, self.costs, self.seen_costs, self.digest = values, costs, seen_costs, digest

    cdef inline int64_t cost(self, uint16_t seen, uint16_t meant) noexcept nogil:
        """What it costs that one stands for the other."""
        cdef Py_ssize_t i, j, slots = self.values.shape[1]
        cdef int64_t least = _IMPOSSIBLE, one
        if seen == meant:
            return 0
        if not (self.digest[seen] & self.digest[meant]):
            return _IMPOSSIBLE
        for i in range(slots):
            if self.values[seen, i] == 0:
                continue
            for j in range(slots):
                if self.values[seen, i] == self.values[meant, j]:
                    one = <int64_t>self.seen_costs[seen, i] + self.costs[meant, j]
                    if one < least:
                        least = one
        return least


cdef class Terms:
    """guesses.Vocabulary: the terms as rows of signs."""

    cdef const uint16_t[::1] signs
    cdef const int64_t[::1] starts
    cdef const int64_t[::1] lengths

    def __init__(self, signs, starts, lengths):
        self.signs, self.starts, self.lengths = signs, starts, lengths


cdef struct Question:
    uint64_t key
    int32_t at
    uint8_t[4] taken  # which value of each sign


cdef Py_ssize_t _AHEAD = 12


cdef class AnchorNet:
    """guesses.LikenessNet, by one of its anchors."""

    cdef Terms terms
    cdef Alike alike
    cdef Groups groups
    cdef const int32_t[:, ::1] entries  # in the order of the groups: term, start of its signs, length, offset and way
    cdef const int32_t[:, ::1] least_costs
    cdef vector[Py_ssize_t] offsets
    cdef Py_ssize_t size, slots, shortest, longest
    cdef int64_t dearest, term_cost

    def __init__(self, Terms terms, Alike alike, Groups groups, entries, least_costs, anchor, shortest, longest,
                 term_cost):
        self.terms, self.alike, self.groups = terms, alike, groups
        self.entries, self.least_costs = entries, least_costs
        for each in anchor.offsets:
            self.offsets.push_back(each)
        self.size, self.slots, self.dearest = anchor.size, anchor.slots, anchor.dearest
        self.shortest, self.longest, self.term_cost = shortest, longest, term_cost

    def add(self, dict found, const uint16_t[::1] signs, const int64_t[::1] before, const int64_t[::1] after,
            int64_t least):
        """Put the strength of each place and term into `found`, by (place, term), where it is the greatest."""
        cdef Py_ssize_t size = signs.shape[0], last = size - self.size + 1, at, i, width
        cdef int64_t most, allowed
        cdef bint broken
        cdef vector[int64_t] budget
        cdef vector[Question] questions
        if last <= 0:
            return
        budget.resize(last)
        for at in range(last):
            most = -_IMPOSSIBLE
            for width in range(self.shortest, min(self.longest, size - at) + 1):
                if after[at + width] > most:
                    most = after[at + width]
            budget[at] = most - before[at] - self.term_cost - least
        for at in range(last):
            allowed = budget[at]
            for i in range(<Py_ssize_t>self.offsets.size()):
                if at >= self.offsets[i] and budget[at - self.offsets[i]] > allowed:
                    allowed = budget[at - self.offsets[i]]
            if allowed < 0:
                continue
            broken = False
            for i in range(self.size):
                broken |= signs[at + i] == _BREAK
            if not broken:
                self.ask(questions, signs, at, min(allowed, self.dearest))
        self.answer(found, questions, signs, before, after, least)

    cdef void ask(self, vector[Question]& questions, const uint16_t[::1] signs, Py_ssize_t at,
                  int64_t allowed) noexcept:
        """Every way to take a value of each sign that costs no more than is allowed, if a key may be made of them."""
        cdef Py_ssize_t a, b, c
        cdef uint16_t one = signs[at], two = signs[at + 1], three
        cdef int64_t cost_a, cost_b
        cdef Question question
        cdef uint64_t key
        question.at = at
        for a in range(self.slots):
            cost_a = self.least_costs[one, a]
            if cost_a > allowed:
                continue
            question.taken[0] = a
            for b in range(self.slots):
                cost_b = cost_a + self.least_costs[two, b]
                if cost_b > allowed:
                    continue
                question.taken[1] = b
                key = (<uint64_t>self.alike.values[one, a] << 16) | self.alike.values[two, b]
                if self.size == 2:
                    if self.groups.table.may(key):
                        question.key = key
                        questions.push_back(question)
                    continue
                three = signs[at + 2]
                for c in range(self.slots):
                    if cost_b + self.least_costs[three, c] <= allowed:
                        question.key = (key << 16) | self.alike.values[three, c]
                        question.taken[2] = c
                        if self.groups.table.may(question.key):
                            questions.push_back(question)

    cdef int answer(self, dict found, vector[Question]& questions, const uint16_t[::1] signs,
                    const int64_t[::1] before, const int64_t[::1] after, int64_t least) except -1:
        """The tables are larger than the processor's cache: what will be needed is fetched some questions ahead."""
        cdef Py_ssize_t i, count = questions.size()
        cdef Table table = self.groups.table
        cdef vector[int64_t] groups
        groups.resize(count)
        for i in range(min(_AHEAD, count)):
            table.fetch(questions[i].key)
        for i in range(count):
            if i + _AHEAD < count:
                table.fetch(questions[i + _AHEAD].key)
            groups[i] = table.find(questions[i].key)
            if groups[i] >= 0:
                prefetch(&self.groups.first[groups[i]])
                prefetch(&self.groups.count[groups[i]])
        for i in range(count):
            if i + _AHEAD < count and groups[i + _AHEAD] >= 0:
                prefetch(&self.entries[self.groups.first[groups[i + _AHEAD]], 0])
            if groups[i] >= 0:
                self.under_key(found, signs, before, after, least, questions[i], groups[i])
        return 0

    cdef int under_key(self, dict found, const uint16_t[::1] signs, const int64_t[::1] before,
                       const int64_t[::1] after, int64_t least, const Question& question, int64_t group) except -1:
        """The terms that have these values at their anchor."""
        cdef int64_t strength
        cdef Py_ssize_t i, number, offset, place, length, way
        cdef const int32_t* entry
        cdef const uint16_t* row
        cdef uint16_t seen
        for number in range(self.groups.first[group], self.groups.first[group] + self.groups.count[group]):
            entry = &self.entries[number, 0]
            length, offset, way = entry[2], entry[3] & 0xFF, entry[3] >> 8
            place = question.at - offset
            if place < 0 or place + length > signs.shape[0]:
                continue
            strength = after[place + length] - before[place] - self.term_cost
            if strength < least:
                continue
            row = &self.terms.signs[entry[1]]
            for i in range(self.size - 1, -1, -1):
                seen = signs[question.at + i]
                if seen != row[offset + i]:
                    strength -= self.alike.seen_costs[seen, question.taken[i]]
                    strength -= self.alike.costs[row[offset + i], way % self.slots]
                way //= self.slots
            i = 0
            while strength >= least and i < length:
                if not offset <= i < offset + self.size:
                    strength -= self.alike.cost(signs[place + i], row[i])
                i += 1
            if strength >= least:
                found[place, entry[0]] = max(strength, found.get((place, entry[0]), strength))
        return 0


# --- order -------------------------------------------------------------------------------------------------------


cdef struct Window:
    Py_ssize_t length
    Py_ssize_t width
    int64_t cost
    Py_ssize_t dropped_1
    Py_ssize_t dropped_2  # 0: none


cdef class ShuffledNet:
    """shuffled.ShuffledNet, up to the windows that hold the signs of a term."""

    cdef Groups bags
    cdef Table together
    cdef const int64_t[::1] chosen
    cdef const int64_t[::1] common
    cdef const int64_t[::1] alone
    cdef const uint64_t[::1] mixed
    cdef vector[Window] windows
    cdef vector[Py_ssize_t] widths
    cdef int64_t common_cost

    def __init__(self, Groups bags, Table together, chosen, common, alone, mixed, windows, common_cost):
        """`mixed`: the number of each sign; `windows`: (length, width, dropped, cost) each."""
        cdef Window window
        self.bags, self.together, self.chosen, self.common = bags, together, chosen, common
        self.alone, self.mixed, self.common_cost = alone, mixed, common_cost
        for length, width, dropped, cost in windows:
            window.length, window.width, window.cost = length, width, cost
            window.dropped_1 = dropped[0] if len(dropped) > 0 else 0
            window.dropped_2 = dropped[1] if len(dropped) > 1 else 0
            self.windows.push_back(window)
        for width in sorted({width for _, width, _, _ in windows}):
            self.widths.push_back(width)

    def windows_of(self, const uint16_t[::1] signs, const uint8_t[::1] han, const int64_t[::1] before,
                   const int64_t[::1] after, int64_t least):
        """(number of the window's kind, start, term, strength) of each, in no order."""
        cdef Py_ssize_t size = signs.shape[0], at, i, run = 0
        cdef uint64_t bag
        cdef uint16_t one, other
        cdef int64_t group, strength, saved
        cdef int32_t entry
        cdef Py_ssize_t number, which, width
        cdef Window window
        cdef list found = []
        cdef vector[Py_ssize_t] runs  # of Chinese characters, from each place on
        cdef vector[uint64_t] sums
        runs.resize(size + 1)
        sums.resize(size + 1)
        for at in range(size):
            sums[at + 1] = sums[at] + self.mixed[signs[at]]
        for at in range(size - 1, -1, -1):
            run = run + 1 if han[at] else 0
            runs[at] = run
        for at in range(size):
            for i in range(<Py_ssize_t>self.widths.size()):
                width = self.widths[i]
                if width > runs[at]:
                    break
                one, other = signs[at], signs[at + width - 1]
                if not self.together.may((<uint64_t>min(one, other) << 16) | max(one, other)):
                    continue
                saved = after[at + width] - before[at]
                for which in range(<Py_ssize_t>self.windows.size()):
                    window = self.windows[which]
                    if window.width != width or saved < least + window.cost:
                        continue
                    bag, strength = sums[at + width] - sums[at], saved - window.cost
                    if window.dropped_1:
                        bag -= self.mixed[signs[at + window.dropped_1]]
                        strength -= self.alone[signs[at + window.dropped_1]]
                    if window.dropped_2:
                        bag -= self.mixed[signs[at + window.dropped_2]]
                        strength -= self.alone[signs[at + window.dropped_2]]
                    group = self.bags.table.find(bag)
                    if group < 0:
                        continue
                    for number in range(self.bags.first[group], self.bags.first[group] + self.bags.count[group]):
                        entry = self.bags.entries[number]
                        if strength - self.common_cost * self.common[entry] >= least:
                            found.append(
                                (which, at, self.chosen[entry], strength - self.common_cost * self.common[entry])
                            )
        return found


# --- characters taken apart --------------------------------------------------------------------------------------

cdef uint64_t _ROW_FACTOR = 0x100000001B3u


cdef class SplitNet:
    """apart.SplitNet, up to two neighbours of a term of which one is taken apart."""

    cdef Groups wholes
    cdef Groups pairs
    cdef Table begun
    cdef const int64_t[::1] made
    cdef const int64_t[::1] found

    def __init__(self, Groups wholes, Groups pairs, Table begun, made, found):
        self.wholes, self.pairs, self.begun, self.made, self.found = wholes, pairs, begun, made, found

    def joined(self, const uint16_t[::1] signs):
        """(edges, neighbours): (start, end, whole) of each edge; first, last and the pair's number of neighbours."""
        cdef Py_ssize_t size = signs.shape[0], at, length, number, edge
        cdef uint64_t key
        cdef int64_t group
        cdef list edges = [], joined = []
        cdef vector[Py_ssize_t] start, end, before, head
        cdef vector[uint64_t] whole
        for at in range(size):
            key = <uint64_t>signs[at] + 1
            length = 1
            while at + length < size and self.begun.may(key):
                key = key * _ROW_FACTOR + signs[at + length] + 1
                length += 1
                group = self.wholes.table.find(key)
                if group < 0:
                    continue
                for number in range(self.wholes.first[group], self.wholes.first[group] + self.wholes.count[group]):
                    start.push_back(at)
                    end.push_back(at + length)
                    whole.push_back(self.made[self.wholes.entries[number]])
        if not start.size():
            return edges, joined
        head.resize(size + 1, -1)
        before.resize(start.size())
        for edge in range(<Py_ssize_t>start.size()):
            edges.append((start[edge], end[edge], whole[edge]))
            before[edge], head[end[edge]] = head[end[edge]], edge
        for edge in range(<Py_ssize_t>start.size()):
            number = head[start[edge]]
            while number >= 0:
                self.pair(joined, start[number], end[edge], whole[number], whole[edge])
                number = before[number]
            if start[edge] > 0:
                self.pair(joined, start[edge] - 1, end[edge], signs[start[edge] - 1], whole[edge])
            if end[edge] < size:
                self.pair(joined, start[edge], end[edge] + 1, whole[edge], signs[end[edge]])
        return edges, joined

    cdef int pair(self, list joined, Py_ssize_t first, Py_ssize_t last, uint64_t one, uint64_t other) except -1:
        cdef int64_t group = self.pairs.table.find((one << 16) | other)
        cdef Py_ssize_t number
        if group >= 0:
            for number in range(self.pairs.first[group], self.pairs.first[group] + self.pairs.count[group]):
                joined.append((first, last, self.found[self.pairs.entries[number]]))
        return 0
