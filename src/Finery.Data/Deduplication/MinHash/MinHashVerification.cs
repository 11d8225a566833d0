using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Filters;
using Microsoft.Win32.SafeHandles;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// Checks candidates by the exact Jaccard similarity of their shingles: in each cluster, in the order of preference, a document
/// is dropped if it is similar enough to one kept before, or is kept itself.
/// </summary>
internal sealed class MinHashVerification
{
    private const long CandidatesPerTask = 1_000_000;
    private const int MostTasks = 64;

    private readonly MinHashStage _stage;
    private readonly string _folder;
    private readonly long _candidates;

    /// <param name="stage">Settings.</param>
    /// <param name="folder">The stage's, once clusters are found.</param>
    public MinHashVerification(MinHashStage stage, string folder)
    {
        (_stage, _folder) = (stage, folder);
        _candidates = RecordFile.Count(MinHashClusters.CandidatesOf(folder), default(StructOrder<Candidate>).RecordBytes);
        Tasks = (int)Math.Clamp(_candidates / CandidatesPerTask + 1, 1, MostTasks);
    }

    /// <summary>Tasks of the verification.</summary>
    public int Tasks { get; }

    /// <summary>What it writes: members sorted by position.</summary>
    public IReadOnlyList<string> Results => [.. Enumerable.Range(0, Tasks).Select(ResultOf)];

    /// <summary>Writes the distinct shingles of a part's candidates.</summary>
    public void Collect(Corpus corpus, int part, TaskContext context)
    {
        using var members = new PartRecords<Member>([MinHashClusters.MembersOf(_folder)], part);
        using var shingles = new RecordWriter(ShinglesOf(_folder, part));
        using var ends = new RecordWriter(EndsOf(_folder, part));
        using var ids = new DocumentIds(_folder);
        var hasher = _stage.CreateHasher();
        if (members.HasNext)
            foreach (var (document, distinct) in OrderedParallel.Map(
                Candidates(), d => MinHashDeduplication.Distinct(hasher.Hash(d.Text)), context.Threads, 256, 1 << 20,
                d => d.Text.Length))
            {
                foreach (var shingle in distinct)
                    shingles.Write(shingle);
                ends.Write(new ShinglesEnd(DocumentPosition.Index(document.Position), shingles.Length));
            }
        shingles.Commit();
        ends.Commit();

        IEnumerable<(ulong Position, string Text)> Candidates()
        {
            long index = 0;
            foreach (var document in corpus.Read(part))
            {
                context.Stop.ThrowIfCancellationRequested();
                if (members.TryTake(index, out var member))
                {
                    ids.Expect(member.Position, document.Id);
                    yield return (member.Position, document.Text);
                }
                index++;
            }
        }
    }

    /// <summary>Verifies a share of the clusters.</summary>
    public void Verify(int task, TaskContext context)
    {
        using var shingles = new ShingleStore(_folder);
        using var results = new RecordSorter<Member>(context.MemoryBytes / 4, _folder);
        var leaders = new Leaders(shingles, _stage.VerifiedJaccard, context.MemoryBytes / 4);
        var followers = new List<(ulong Position, int Leader)>();
        uint root = uint.MaxValue;
        foreach (var candidate in Share(task))
        {
            context.Stop.ThrowIfCancellationRequested();
            if (candidate.Root != root)
                Emit();
            root = candidate.Root;
            followers.Add((candidate.Position, leaders.Place(candidate.Position)));
        }
        Emit();
        results.WriteTo(ResultOf(task));

        void Emit()
        {
            foreach (var (position, leader) in followers)
                results.Add(new(position, leaders.PositionOf(leader), leaders.SizeOf(leader)));
            followers.Clear();
            leaders.Clear();
        }
    }

    /// <summary>The candidates of whole clusters between two cuts.</summary>
    private IEnumerable<Candidate> Share(int task) =>
        RecordFile.ReadAll<Candidate>(MinHashClusters.CandidatesOf(_folder), Cut(task), Cut(task + 1));

    /// <summary>First candidate of the cluster in which an equal share ends.</summary>
    private long Cut(int task)
    {
        if (task == 0 || task == Tasks)
            return task == 0 ? 0 : _candidates;
        var path = MinHashClusters.CandidatesOf(_folder);
        var bytes = default(StructOrder<Candidate>).RecordBytes;
        var record = new byte[bytes];
        using (var handle = File.OpenHandle(path))
            RecordFile.ReadExactly(handle, record, task * _candidates / Tasks * bytes, path);
        var root = MemoryMarshal.Read<Candidate>(record).Root;
        return RecordFile.LowerBound(path, bytes, r => MemoryMarshal.Read<Candidate>(r).Root < root);
    }

    private string ResultOf(int task) => Path.Combine(_folder, "verified", $"{task:00000}");

    private static string ShinglesOf(string folder, int part) => Path.Combine(folder, "shingles", $"{part:00000}.u64");

    private static string EndsOf(string folder, int part) => Path.Combine(folder, "shingles", $"{part:00000}.ends");

    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private readonly record struct ShinglesEnd(long Index, long End);

    /// <summary>Kept documents of the cluster at hand. Shingles beyond the memory are read again for each comparison.</summary>
    private sealed class Leaders(ShingleStore store, double similarity, long memoryBytes)
    {
        private readonly List<(ulong Position, int Count, ulong[]? Shingles, uint Size)> _leaders = [];
        private long _held;

        public ulong PositionOf(int leader) => _leaders[leader].Position;

        public uint SizeOf(int leader) => _leaders[leader].Size;

        public void Clear()
        {
            _leaders.Clear();
            _held = 0;
        }

        public int Place(ulong position)
        {
            var shingles = store.Read(position);
            for (var i = 0; i < _leaders.Count; i++)
            {
                var leader = _leaders[i];
                // No two sets are more alike than the smaller is large.
                if (Math.Min(shingles.Length, leader.Count) < similarity * Math.Max(shingles.Length, leader.Count))
                    continue;
                if (MinHashDeduplication.Jaccard(leader.Shingles ?? store.Read(leader.Position), shingles) < similarity)
                    continue;
                _leaders[i] = leader with { Size = leader.Size + 1 };
                return i;
            }
            var isHeld = _held + shingles.Length * sizeof(ulong) <= memoryBytes;
            if (isHeld)
                _held += shingles.Length * sizeof(ulong);
            _leaders.Add((position, shingles.Length, isHeld ? shingles : null, 1));
            return _leaders.Count - 1;
        }
    }

    /// <summary>Shingles of candidates by position.</summary>
    private sealed class ShingleStore(string folder) : IDisposable
    {
        private const int MostOpen = 64;

        private readonly Dictionary<int, (SafeFileHandle Ends, SafeFileHandle Shingles, long Count)> _open = [];

        public ulong[] Read(ulong position)
        {
            var part = DocumentPosition.Part(position);
            var (ends, shingles, count) = Open(part);
            var bytes = Unsafe.SizeOf<ShinglesEnd>();
            var record = new byte[2 * bytes];
            long from = 0, to = count;
            while (from < to)
            {
                var middle = (from + to) / 2;
                RecordFile.ReadExactly(ends, record.AsSpan(0, bytes), middle * bytes, EndsOf(folder, part));
                if (MemoryMarshal.Read<ShinglesEnd>(record).Index < DocumentPosition.Index(position))
                    from = middle + 1;
                else
                    to = middle;
            }
            if (from == 0)
                RecordFile.ReadExactly(ends, record.AsSpan(bytes), 0, EndsOf(folder, part));
            else
                RecordFile.ReadExactly(ends, record, (from - 1) * bytes, EndsOf(folder, part));
            var start = from == 0 ? 0 : MemoryMarshal.Read<ShinglesEnd>(record).End;
            var found = MemoryMarshal.Read<ShinglesEnd>(record.AsSpan(bytes));
            if (found.Index != DocumentPosition.Index(position))
                throw RecordFile.Damaged(EndsOf(folder, part), $"document {DocumentPosition.Index(position)} is missing");
            var result = new ulong[(found.End - start) / sizeof(ulong)];
            RecordFile.ReadExactly(shingles, MemoryMarshal.AsBytes(result.AsSpan()), start, ShinglesOf(folder, part));
            return result;
        }

        public void Dispose()
        {
            foreach (var (ends, shingles, _) in _open.Values)
            {
                ends.Dispose();
                shingles.Dispose();
            }
            _open.Clear();
        }

        private (SafeFileHandle Ends, SafeFileHandle Shingles, long Count) Open(int part)
        {
            if (_open.TryGetValue(part, out var files))
                return files;
            if (_open.Count == MostOpen)
                Dispose();
            return _open[part] = (
                File.OpenHandle(EndsOf(folder, part), options: FileOptions.RandomAccess),
                File.OpenHandle(ShinglesOf(folder, part), options: FileOptions.RandomAccess),
                RecordFile.Count(EndsOf(folder, part), Unsafe.SizeOf<ShinglesEnd>()));
        }
    }
}
