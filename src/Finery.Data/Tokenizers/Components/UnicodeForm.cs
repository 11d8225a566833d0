using System.Buffers;
using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Unicode's four normalisation forms, over UTF-8. The library's own need ICU, which Finery does not load (invariant
/// globalisation), so the data is a table of Unicode 14 (<c>UnicodeForms.txt</c>): <c>C=A B</c> canonical and composed again,
/// <c>C-A</c> canonical and not composed, <c>C~A B</c> compatible, <c>C+n k</c> class k of a mark and the n behind it.
/// </summary>
internal sealed class UnicodeForm
{
    private const int HangulS = 0xAC00, HangulL = 0x1100, HangulV = 0x1161, HangulT = 0x11A7;
    private const int CountV = 21, CountT = 28, CountS = 19 * CountV * CountT;

    private static readonly Lazy<Table> Data = new(Table.Load);

    private readonly bool _composes;
    private readonly Lazy<Dictionary<int, int[]>> _decompositions;
    private readonly Lazy<ulong[]> _unsettled; // bit by code point: may change, or change with what is beside it

    private UnicodeForm(string name, bool composes, bool compatible)
    {
        (Name, _composes) = (name, composes);
        _decompositions = new(() => Data.Value.Full(compatible));
        _unsettled = new(FindUnsettled);
    }

    /// <summary>As in <c>tokenizer.json</c>.</summary>
    public string Name { get; }

    public static readonly UnicodeForm[] All =
    [
        new("NFC", composes: true, compatible: false), new("NFD", composes: false, compatible: false),
        new("NFKC", composes: true, compatible: true), new("NFKD", composes: false, compatible: true),
    ];

    /// <summary>The text in this form, or null where it is in it already.</summary>
    /// <param name="text">Valid UTF-8.</param>
    public byte[]? Apply(ReadOnlySpan<byte> text)
    {
        int settled = SettledLength(text);
        if (settled == text.Length) return null;
        var points = Decomposed(text);
        if (_composes) Compose(points);
        var output = new ArrayBufferWriter<byte>(text.Length + text.Length / 8);
        foreach (int point in points) output.Advance(new Rune(point).EncodeToUtf8(output.GetSpan(4)));
        return output.WrittenSpan.SequenceEqual(text) ? null : output.WrittenSpan.ToArray();
    }

    private int SettledLength(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (true)
        {
            int ascii = text[at..].IndexOfAnyInRange((byte)0x80, (byte)0xFF);
            if (ascii < 0) return text.Length;
            for (at += ascii; at < text.Length && text[at] >= 0x80;)
            {
                Rune.DecodeFromUtf8(text[at..], out Rune rune, out int length);
                if ((_unsettled.Value[rune.Value >> 6] >> rune.Value & 1) != 0) return at;
                at += length;
            }
        }
    }

    private ulong[] FindUnsettled()
    {
        var bits = new ulong[0x110000 / 64];
        foreach (var (point, decomposition) in _decompositions.Value)
        {
            if (!_composes || !ComposesBack(point, decomposition)) Mark(point);
        }
        foreach (int point in Data.Value.Classes.Keys) Mark(point);
        if (!_composes)
        {
            for (int i = 0; i < CountS; i++) Mark(HangulS + i);
            return bits;
        }
        foreach (long pair in Data.Value.Compositions.Keys) Mark((int)(pair & 0x1FFFFF));
        for (int i = 0; i < CountV; i++) Mark(HangulV + i);
        for (int i = 1; i < CountT; i++) Mark(HangulT + i);
        return bits;

        void Mark(int point) => bits[point >> 6] |= 1UL << point;
    }

    private static bool ComposesBack(int point, int[] decomposition)
    {
        List<int> points = [.. decomposition];
        Compose(points);
        return points.Count == 1 && points[0] == point;
    }

    private List<int> Decomposed(ReadOnlySpan<byte> text)
    {
        var points = new List<int>(text.Length);
        while (!text.IsEmpty)
        {
            Rune.DecodeFromUtf8(text, out Rune rune, out int length);
            text = text[length..];
            int point = rune.Value, syllable = point - HangulS;
            if (point < 0x80) points.Add(point);
            else if ((uint)syllable < CountS)
            {
                points.Add(HangulL + syllable / (CountV * CountT));
                points.Add(HangulV + syllable / CountT % CountV);
                if (syllable % CountT > 0) points.Add(HangulT + syllable % CountT);
            }
            else if (_decompositions.Value.TryGetValue(point, out int[]? parts)) points.AddRange(parts);
            else points.Add(point);
        }
        Reorder(points);
        return points;
    }

    /// <summary>Puts every run of marks in order of their classes, equal ones as they were.</summary>
    private static void Reorder(List<int> points)
    {
        for (int i = 0; i < points.Count; i++)
        {
            if (Class(points[i]) == 0) continue;
            int start = i;
            bool ordered = true;
            for (i++; i < points.Count && Class(points[i]) is not 0 and var next; i++) ordered &= Class(points[i - 1]) <= next;
            if (ordered) continue;
            int[] sorted = [.. points[start..i].OrderBy(Class)];
            for (int k = 0; k < sorted.Length; k++) points[start + k] = sorted[k];
        }
    }

    private static void Compose(List<int> points)
    {
        int starter = -1, kept = 0, lastClass = 0;
        for (int i = 0; i < points.Count; i++)
        {
            int point = points[i], mark = Class(point);
            // a mark composes with the starter unless one of its own class, or of none, stands between them
            bool adjacent = starter == kept - 1;
            if (starter >= 0 && (adjacent || lastClass != 0 && lastClass < mark)
                && Composition(points[starter], point) is { } composed)
            {
                points[starter] = composed;
                continue;
            }
            if (mark == 0) starter = kept;
            lastClass = mark;
            points[kept++] = point;
        }
        points.RemoveRange(kept, points.Count - kept);
    }

    private static int? Composition(int first, int second)
    {
        if ((uint)(first - HangulL) < 19 && (uint)(second - HangulV) < CountV)
            return HangulS + ((first - HangulL) * CountV + second - HangulV) * CountT;
        if ((uint)(first - HangulS) < CountS && (first - HangulS) % CountT == 0 && (uint)(second - HangulT - 1) < CountT - 1)
            return first + second - HangulT;
        return Data.Value.Compositions.TryGetValue(((long)first << 21) | (uint)second, out int composed) ? composed : null;
    }

    private static int Class(int point) => point < 0x300 ? 0 : Data.Value.Classes.GetValueOrDefault(point);

    private sealed class Table
    {
        private readonly Dictionary<int, (int[] Parts, bool IsCompatible)> _single = [];

        public Dictionary<int, int> Classes { get; } = [];

        /// <summary>first &lt;&lt; 21 | second -> composed.</summary>
        public Dictionary<long, int> Compositions { get; } = [];

        public static Table Load()
        {
            var table = new Table();
            using Stream stream = typeof(UnicodeForm).Assembly.GetManifestResourceStream("UnicodeForms.txt")!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                int mark = line.AsSpan().IndexOfAny("=-~+");
                int point = Hex(line.AsSpan(0, mark));
                int[] parts = [.. line[(mark + 1)..].Split(' ').Select(part => Hex(part))];
                if (line[mark] == '+')
                {
                    for (int i = 0; i <= parts[0]; i++) table.Classes.Add(point + i, parts[1]);
                    continue;
                }
                table._single.Add(point, (parts, line[mark] == '~'));
                if (line[mark] == '=') table.Compositions.Add(((long)parts[0] << 21) | (uint)parts[1], point);
            }
            return table;
        }

        public Dictionary<int, int[]> Full(bool compatible)
        {
            var full = new Dictionary<int, int[]>();
            foreach (var (point, single) in _single)
            {
                if (compatible || !single.IsCompatible) full.Add(point, [.. Expand(point)]);
            }
            return full;

            IEnumerable<int> Expand(int point) => _single.TryGetValue(point, out var single) && (compatible || !single.IsCompatible)
                ? single.Parts.SelectMany(Expand)
                : [point];
        }

        private static int Hex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
