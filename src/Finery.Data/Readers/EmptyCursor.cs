namespace Finery.Data.Readers;

/// <summary>Stands for a file that cannot be read.</summary>
internal sealed class EmptyCursor : DocumentCursor
{
    public override long Position => 0;

    public override long BytesRead => 0;

    public override Document? Read() => null;
}
