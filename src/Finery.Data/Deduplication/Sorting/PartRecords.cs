using System.Runtime.InteropServices;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>A record that says something of one document.</summary>
internal interface IOfDocument
{
    /// <summary>By <see cref="DocumentPosition.Pack"/>.</summary>
    ulong Position { get; }
}

/// <summary>The records of one part's documents, from files that are sorted by position, read along with the documents.</summary>
internal sealed class PartRecords<T> : IDisposable
    where T : unmanaged, IComparable<T>, IOfDocument
{
    private const long BufferBytes = 4 << 20;

    private readonly int _part;
    private readonly RecordMerge<StructOrder<T>> _merge;
    private bool _has;
    private T _current;

    /// <param name="paths">Files sorted by position.</param>
    /// <param name="part">The part.</param>
    public PartRecords(IEnumerable<string> paths, int part)
    {
        _part = part;
        var bytes = default(StructOrder<T>).RecordBytes;
        ulong from = DocumentPosition.Pack(part, 0), to = DocumentPosition.Pack(part + 1, 0);
        _merge = new(
            default,
            [.. paths.Select(p => new RecordSource(p, bytes, LowerBound(p, from), LowerBound(p, to)))],
            BufferBytes);
        Advance();

        long LowerBound(string path, ulong position) => RecordFile.LowerBound(
            path, bytes, record => MemoryMarshal.Read<T>(record).Position < position);
    }

    /// <summary>Whether there is another record.</summary>
    public bool HasNext => _has;

    /// <summary>The next record, whichever document's it is.</summary>
    public T Next => _current;

    /// <summary>Takes the next record of a document, passing over those of documents before it.</summary>
    /// <returns>False if it has no more.</returns>
    public bool TryTake(long index, out T record)
    {
        var position = DocumentPosition.Pack(_part, index);
        while (_has && _current.Position < position)
            Advance();
        record = _current;
        if (!_has || _current.Position != position)
            return false;
        Advance();
        return true;
    }

    public void Dispose() => _merge.Dispose();

    private void Advance()
    {
        _has = _merge.MoveNext();
        if (_has)
            _current = _merge.Read<T>();
    }
}
