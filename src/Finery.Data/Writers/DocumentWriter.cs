namespace Finery.Data.Writers;

/// <summary>
/// Writes documents to files, which appear under their names only at <see cref="Commit"/>. Equal documents give equal bytes,
/// also when writing was interrupted and taken up again, as long as checkpoints are taken at the same documents. Used by one
/// thread.
/// </summary>
public abstract class DocumentWriter : IDisposable
{
    /// <summary>Documents written so far, those before a checkpoint included.</summary>
    public long Count { get; private protected set; }

    /// <summary>Full paths of the files begun so far, under the names they get at the end.</summary>
    public abstract IReadOnlyList<string> Files { get; }

    /// <summary>Writes a document.</summary>
    /// <param name="document">What to write.</param>
    /// <param name="filterReason">For a dropped document: added to its metadata as <c>filter_reason</c>.</param>
    public abstract void Write(Document document, string? filterReason = null);

    /// <summary>Brings all that was written to the disk, ending a block of the format.</summary>
    /// <returns>JSON for <see cref="Create"/> to go on from here.</returns>
    public abstract string Checkpoint();

    /// <summary>Completes the files and gives them their names.</summary>
    public abstract void Commit();

    /// <summary>Without a <see cref="Commit"/> before, removes what no checkpoint covers.</summary>
    public abstract void Dispose();

    /// <summary>Starts files in a folder, or goes on with them.</summary>
    /// <param name="settings">Format and names.</param>
    /// <param name="folder">Created if need be.</param>
    /// <param name="name">What <c>${rank}</c> stands for in the file names.</param>
    /// <param name="checkpoint">What <see cref="Checkpoint"/> returned, with the same settings; null to start anew.</param>
    /// <exception cref="InvalidDataException">The files are not there as the checkpoint recorded them.</exception>
    public static DocumentWriter Create(OutputSettings settings, string folder, string name, string? checkpoint = null) =>
        new TemplatedWriter(settings, folder, name, checkpoint);
}
