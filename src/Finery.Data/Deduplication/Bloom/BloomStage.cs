using System.Text.Json.Nodes;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Deduplication.Spans;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.Bloom;

/// <summary>What is looked up as a whole.</summary>
public enum BloomUnit
{
    /// <summary>Documents.</summary>
    Document,

    /// <summary>Lines; what is left of a document stays.</summary>
    Paragraph,

    /// <summary>A document goes as a whole if its share is above the threshold, else its lines are judged.</summary>
    Both,
}

/// <summary>
/// Deduplication by a Bloom filter of word n-grams (as DCLM's): what has more than a share of its n-grams in common with all
/// before it is removed, else its n-grams are added. Words are those of the simplified text. Texts with fewer words than an
/// n-gram stay. Reason <c>bloom_dedup</c>.
/// </summary>
/// <remarks>
/// Sequential by nature: one task reads the corpus in the order of its parts (hashing on all threads). Memory is the filter's
/// size, exactly. The report has the false-positive rate that came of it: what seems to be there and is not.
/// </remarks>
public sealed record BloomStage : CorpusStage
{
    private const uint WholeDocument = uint.MaxValue;

    /// <summary>Words of an n-gram.</summary>
    public int NGram { get; init; } = 13;

    /// <summary>Share of n-grams seen before above which a text goes.</summary>
    public double Threshold { get; init; } = 0.8;

    /// <summary>What goes.</summary>
    public BloomUnit Unit { get; init; }

    /// <summary>Size of the filter in bytes.</summary>
    public long FilterBytes { get; init; } = 256L << 20;

    /// <summary>N-grams expected in the corpus, about as many as words: decides the number of bits for each. 0 if not known:
    /// 7 bits.</summary>
    public long ExpectedNGrams { get; init; }

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (NGram < 1)
            yield return (nameof(NGram), $"an n-gram has at least one word, not {NGram}");
        if (Threshold is < 0 or > 1)
            yield return (nameof(Threshold), $"a share is 0 to 1, not {Threshold}");
        if (FilterBytes < 8)
            yield return (nameof(FilterBytes), $"a filter has at least 8 bytes, not {FilterBytes}");
        if (ExpectedNGrams < 0)
            yield return (nameof(ExpectedNGrams), $"there are no fewer n-grams than none: {ExpectedNGrams}");
    }

    private int Hashes => ExpectedNGrams > 0 ? BloomFilter.BestHashes(FilterBytes, ExpectedNGrams) : 7;

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        foreach (var (property, message) in Validate())
            throw new ArgumentException($"{property}: {message}.");
        yield return new("filter", 1, (_, context) => Run(corpus, folder, context));
    }

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) => new BloomPart(folder, part);

    private static string RemovalsOf(string folder) => Path.Combine(folder, "removals");

    private void Run(Corpus corpus, string folder, TaskContext context)
    {
        if (FilterBytes > context.MemoryBytes)
            throw new InvalidOperationException(
                $"A filter of {FilterBytes >> 20} MiB does not fit {context.MemoryBytes >> 20} MiB: allow more memory, or make it "
                + "smaller.");
        var filter = new BloomFilter(FilterBytes, Hashes);
        var hasher = new MinHasher(NGram, 1, 1);
        using var removals = new RecordWriter(RemovalsOf(folder));
        long nGrams = 0, removed = 0;
        for (var part = 0; part < corpus.Parts; part++)
        {
            using var ids = new DocumentIds.Writer(folder, part);
            foreach (var (document, pieces) in OrderedParallel.Map(
                corpus.Read(part), d => Hash(hasher, d.Text), context.Threads, 256, 1 << 20, d => d.Text.Length))
            {
                context.Stop.ThrowIfCancellationRequested();
                var position = DocumentPosition.Pack(part, ids.Count);
                foreach (var piece in Judge(filter, pieces))
                {
                    removals.Write(new Removal(position, piece));
                    removed++;
                }
                nGrams += pieces.Sum(p => p.Length);
                ids.Add(document.Id);
            }
            ids.Commit();
        }
        removals.Commit();
        StageReport.Write(Path.Combine(folder, "bloom_dedup.json"), this, new JsonObject
        {
            ["documents"] = DocumentIds.Offsets(folder, corpus.Parts)[^1],
            ["removed"] = removed,
            ["n_grams"] = nGrams,
            ["bits_per_n_gram"] = filter.Hashes,
            ["bits_set"] = filter.Fill,
            ["false_positive_rate"] = filter.FalsePositiveRate,
            ["false_positive_rate_expected"] =
                ExpectedNGrams > 0 ? BloomFilter.ExpectedRate(FilterBytes, ExpectedNGrams, filter.Hashes) : null,
        });
    }

    /// <summary>N-grams of the text, or of each of its lines.</summary>
    private ulong[][] Hash(MinHasher hasher, string text) => Unit == BloomUnit.Document
        ? [hasher.Hash(text).ToArray()]
        : [.. Pieces.Lines(text).Select(line => hasher.Hash(text[line]).ToArray())];

    /// <summary>Numbers of the pieces that go; the others' n-grams are added.</summary>
    private List<uint> Judge(BloomFilter filter, ulong[][] pieces)
    {
        var seen = Array.ConvertAll(pieces, p => p.Count(filter.Contains));
        if (Unit != BloomUnit.Paragraph && IsAbove(seen.Sum(), pieces.Sum(p => p.Length)))
            return [WholeDocument];
        var removed = new List<uint>();
        for (var i = 0; i < pieces.Length; i++)
        {
            // A line may repeat one above it in the same document.
            var again = Unit == BloomUnit.Document ? seen[i] : pieces[i].Count(filter.Contains);
            if (Unit != BloomUnit.Document && IsAbove(again, pieces[i].Length))
                removed.Add((uint)i);
            else
                foreach (var hash in pieces[i])
                    filter.Add(hash);
        }
        return removed;
    }

    private bool IsAbove(int seen, int count) => count > 0 && seen > Threshold * count;

    private sealed class BloomPart(string folder, int part) : PartStage
    {
        private readonly DocumentIds _ids = new(folder);
        private readonly PartRecords<Removal> _removals = new([RemovalsOf(folder)], part);

        public override void Apply(WorkingDocument document, long index)
        {
            if (!_removals.TryTake(index, out var removal))
                return;
            _ids.Expect(removal.Position, document.Document.Id);
            if (removal.First == WholeDocument)
            {
                document.Reject("bloom_dedup");
                return;
            }
            var pieces = Pieces.Lines(document.Text);
            var isCut = new bool[pieces.Count];
            do
                isCut[removal.First] = true;
            while (_removals.TryTake(index, out removal));
            document.Rewrite(Pieces.Join(document.Text, pieces, isCut));
            document.RejectIf("bloom_dedup", document.Text.AsSpan().Trim().IsEmpty);
        }

        public override void Dispose()
        {
            _removals.Dispose();
            _ids.Dispose();
            base.Dispose();
        }
    }
}
