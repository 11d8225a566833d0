namespace Finery.Data.Readers;

/// <summary>A piece of input that can be read by itself: a file, or a stretch of one where the format allows.</summary>
/// <param name="Path">Local path, <c>s3://</c> or <c>https://</c> address.</param>
/// <param name="Start">Where it starts: bytes, or row groups, as the format has it.</param>
/// <param name="End">Where it ends, exclusive: what starts before belongs to it. <see cref="long.MaxValue"/> for the end of the
/// file.</param>
public sealed record InputPart(string Path, long Start = 0, long End = long.MaxValue);

/// <summary>
/// A reader of files, which can be split into parts and stopped and resumed between documents. The parts, together and in order, are
/// the whole; where they are cut depends on the files and settings alone.
/// </summary>
public abstract record FileReader : DocumentReader
{
    /// <summary>Files, globs or addresses.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Cuts the input into parts of about <paramref name="partBytes"/> bytes, at least one a file.</summary>
    /// <exception cref="FileNotFoundException">A path matches nothing.</exception>
    public abstract IReadOnlyList<InputPart> Parts(long partBytes);

    /// <summary>Opens a part.</summary>
    /// <param name="part">One of <see cref="Parts"/>.</param>
    /// <param name="report">Counts documents and what was skipped.</param>
    /// <param name="position">0, or a <see cref="DocumentCursor.Position"/> to go on from.</param>
    public abstract DocumentCursor Open(InputPart part, ReadReport report, long position = 0);

    /// <inheritdoc/>
    public override IEnumerable<Document> Read(ReadReport report)
    {
        foreach (var part in Parts(long.MaxValue))
        {
            using var cursor = Open(part, report);
            while (cursor.Read() is { } document)
                yield return document;
        }
    }
}

/// <summary>Goes through the documents of a part.</summary>
public abstract class DocumentCursor : IDisposable
{
    /// <summary>The next document; null at the end. What cannot be used is skipped and counted.</summary>
    public abstract Document? Read();

    /// <summary>Where a cursor opened again must go on to yield what follows the last document read. Its meaning is the
    /// format's own (an offset, a record number); 0 is the start of the part.</summary>
    public abstract long Position { get; }

    /// <summary>Bytes of the file read so far, for progress.</summary>
    public abstract long BytesRead { get; }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
