using System.Buffers.Binary;
using System.Text;
using Finery.Data.Deduplication.Sorting;
using Microsoft.Win32.SafeHandles;

namespace Finery.Data.Deduplication;

/// <summary>
/// The ids of all documents of a corpus, by part, in files: what <c>duplicate_of</c> names, and what shows whether the corpus is
/// still the one that was read.
/// </summary>
internal sealed class DocumentIds(string folder) : IDisposable
{
    private const int MostOpen = 64;

    private readonly Dictionary<int, (SafeFileHandle Ends, SafeFileHandle Text)> _open = [];

    /// <summary>Number of documents of a part.</summary>
    public static long Count(string folder, int part) => RecordFile.Count(EndsOf(folder, part), sizeof(long));

    /// <summary>Number of documents before each part, and at the end of all.</summary>
    /// <exception cref="InvalidDataException">There are none at all.</exception>
    public static long[] Offsets(string folder, int parts)
    {
        var offsets = new long[parts + 1];
        for (var part = 0; part < parts; part++)
            offsets[part + 1] = offsets[part] + Count(folder, part);
        return offsets[parts] > 0 ? offsets : throw new InvalidDataException(
            "Nothing to deduplicate: no document was read. Check the input, and what the stages before drop.");
    }

    /// <exception cref="InvalidDataException">There is no such document, or its file is damaged.</exception>
    public string Get(ulong position)
    {
        var part = DocumentPosition.Part(position);
        var index = DocumentPosition.Index(position);
        var (ends, text) = Open(part);
        Span<byte> range = stackalloc byte[16];
        if (index == 0)
            RecordFile.ReadExactly(ends, range[8..], 0, EndsOf(folder, part));
        else
            RecordFile.ReadExactly(ends, range, (index - 1) * sizeof(long), EndsOf(folder, part));
        var from = index == 0 ? 0 : BinaryPrimitives.ReadInt64LittleEndian(range);
        var bytes = new byte[BinaryPrimitives.ReadInt64LittleEndian(range[8..]) - from];
        RecordFile.ReadExactly(text, bytes, from, TextOf(folder, part));
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>Checks that a document is the one that stood there when the corpus was first read.</summary>
    /// <exception cref="InvalidOperationException">It is another.</exception>
    public void Expect(ulong position, string id)
    {
        if (Get(position) is var known && known != Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(id)))
            throw new InvalidOperationException(
                $"Document {DocumentPosition.Index(position)} of part {DocumentPosition.Part(position)} is '{id}' and was "
                + $"'{known}' before: the input changed since deduplication read it. Run the stage again from the start.");
    }

    public void Dispose()
    {
        foreach (var (ends, text) in _open.Values)
        {
            ends.Dispose();
            text.Dispose();
        }
        _open.Clear();
    }

    private (SafeFileHandle Ends, SafeFileHandle Text) Open(int part)
    {
        if (_open.TryGetValue(part, out var files))
            return files;
        if (_open.Count == MostOpen)
            Dispose();
        return _open[part] = (
            File.OpenHandle(EndsOf(folder, part), options: FileOptions.RandomAccess),
            File.OpenHandle(TextOf(folder, part), options: FileOptions.RandomAccess));
    }

    private static string EndsOf(string folder, int part) => Path.Combine(folder, "ids", $"{part:00000}.ends");

    private static string TextOf(string folder, int part) => Path.Combine(folder, "ids", $"{part:00000}.text");

    /// <summary>Writes the ids of one part.</summary>
    internal sealed class Writer(string folder, int part) : IDisposable
    {
        private readonly RecordWriter _ends = new(EndsOf(folder, part));
        private readonly RecordWriter _text = new(TextOf(folder, part));

        /// <summary>Ids written.</summary>
        public long Count { get; private set; }

        public void Add(string id)
        {
            _text.Write(Encoding.UTF8.GetBytes(id));
            _ends.Write(_text.Length);
            Count++;
        }

        public void Commit()
        {
            _text.Commit();
            _ends.Commit();
        }

        public void Dispose()
        {
            _text.Dispose();
            _ends.Dispose();
        }
    }
}
