using Finery.Data.Filters;

namespace Finery.Data.Curation;

/// <summary>
/// A stage that looks across documents (deduplication, mixing). It reads the corpus part by part, in phases of tasks that leave
/// files in its folder; then every part goes through what <see cref="Open"/> returns, which keeps, drops, rewrites or repeats
/// each document by what was found. Nothing is held in memory but what <see cref="Corpus.MemoryBytes"/> allows.
/// </summary>
public abstract record CorpusStage : CurationStage
{
    /// <summary>
    /// The phases, in order. Enumerated lazily: the next one is asked for when all tasks of the one before are finished, so its
    /// number of tasks may depend on their results. May be enumerated again by another process, which skips finished tasks: what
    /// it yields may depend on the corpus and on the files of finished phases alone.
    /// </summary>
    /// <param name="corpus">What to read.</param>
    /// <param name="folder">The stage's own folder, which exists.</param>
    public abstract IEnumerable<Phase> Phases(Corpus corpus, string folder);

    /// <summary>What is to be done to the documents of one part, once all phases are finished.</summary>
    /// <param name="corpus">What was read.</param>
    /// <param name="folder">The stage's own folder.</param>
    /// <param name="part">Number of the part.</param>
    public abstract PartStage Open(Corpus corpus, string folder, int part);
}

/// <summary>Tasks that may run in any order, at once, in several processes, and again after a crash: each writes its own files
/// atomically (<see cref="Writers.AtomicFile"/>), the same bytes each time.</summary>
/// <param name="Name">Unique in its stage; a file name.</param>
/// <param name="Tasks">How many.</param>
/// <param name="Run">Runs one by its number.</param>
public sealed record Phase(string Name, int Tasks, Action<int, TaskContext> Run);

/// <summary>What a task may use.</summary>
/// <param name="MemoryBytes">Most memory it may take: the stage's share divided by the tasks that run at once.</param>
/// <param name="Threads">Threads it may use itself.</param>
/// <param name="Stop">Signalled when the task should end by <see cref="OperationCanceledException"/>.</param>
public sealed record TaskContext(long MemoryBytes, int Threads, CancellationToken Stop);

/// <summary>The documents a corpus stage sees: parts numbered from 0, each enumerable any number of times, lazily, always in the
/// same order.</summary>
public abstract class Corpus
{
    /// <summary>Number of parts.</summary>
    public abstract int Parts { get; }

    /// <summary>Memory for the whole process.</summary>
    public abstract long MemoryBytes { get; }

    /// <summary>The documents of a part in order; position in it is a document's index.</summary>
    public abstract IEnumerable<Document> Read(int part);
}

/// <summary>What a corpus stage does to the documents of one part. Used by one thread.</summary>
public abstract class PartStage : IDisposable
{
    /// <summary>Keeps, drops, rewrites, annotates or repeats one document by way of <paramref name="document"/>.</summary>
    /// <param name="document">The document.</param>
    /// <param name="index">Its position in the part, from 0; called in ascending order, though not for every index.</param>
    public abstract void Apply(WorkingDocument document, long index);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
