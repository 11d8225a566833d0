using System.Buffers;
using Finery.Data.Compression;

namespace Finery.Data.Readers.Remote;

/// <summary>A response that must give its bytes within a time, and ends with its request.</summary>
internal sealed class TimedStream(Stream stream, IDisposable response, TimeSpan timeout) : ForwardStream
{
    private readonly CancellationTokenSource _deadline = new(timeout);

    public override bool CanRead => true;

    public override int Read(Span<byte> buffer)
    {
        var piece = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length, 1 << 16));
        try
        {
            var wanted = piece.AsMemory(0, Math.Min(buffer.Length, piece.Length));
            var read = stream.ReadAsync(wanted, _deadline.Token).AsTask().GetAwaiter().GetResult();
            piece.AsSpan(0, read).CopyTo(buffer);
            return read;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            stream.Dispose();
            response.Dispose();
            _deadline.Dispose();
        }
        base.Dispose(disposing);
    }
}
