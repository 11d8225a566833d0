using System.Buffers;
using System.IO.Compression;
using System.Text;

namespace Finery.Evaluation.Baselines;

/// <summary>Bits per byte of a general compressor on held-out text.</summary>
/// <param name="Alone">Of the held-out text by itself.</param>
/// <param name="AfterTraining">Of the held-out text right after the training sample, whose bytes are not counted: what a compressor
/// learns from the same data.</param>
/// <param name="TrainingBytes">Size of the training sample used.</param>
/// <param name="HeldOutBytes">Size of the held-out text.</param>
public sealed record CompressionResult(double Alone, double AfterTraining, long TrainingBytes, long HeldOutBytes);

/// <summary>
/// What a good general-purpose compressor makes of the same text: Brotli at quality 11 with its largest standard window, 2^24 bytes.
/// That is the class of <c>xz</c> and stronger than <c>gzip</c>; it has neither <c>xz</c>'s far matches nor a neural mixer.
/// </summary>
public static class CompressionBaseline
{
    private const int Quality = 11;
    private const int WindowBits = 24;

    /// <summary>Compresses <paramref name="heldOut"/> alone and after <paramref name="training"/>, documents ended by a line feed.</summary>
    /// <param name="training">Training documents, read until <paramref name="maxTrainingBytes"/>; a sample in random order is fairest.</param>
    /// <param name="heldOut">The documents scored.</param>
    /// <param name="maxTrainingBytes">At most this much is useful, the window being 16 MiB; about a second per half megabyte.</param>
    /// <exception cref="ArgumentException">There is no held-out text.</exception>
    public static CompressionResult Measure(
        IEnumerable<string> training, IEnumerable<string> heldOut, int maxTrainingBytes = 4 << 20)
    {
        byte[] before = Join(training, maxTrainingBytes);
        byte[] text = Join(heldOut, int.MaxValue);
        if (text.Length == 0) throw new ArgumentException("Compression baseline: there is no held-out text.", nameof(heldOut));
        return new(
            8.0 * Compress([], text) / text.Length, 8.0 * Compress(before, text) / text.Length, before.Length, text.Length);
    }

    private static byte[] Join(IEnumerable<string> documents, int maxBytes)
    {
        using var joined = new MemoryStream();
        foreach (string document in documents)
        {
            if (joined.Length >= maxBytes) break;
            joined.Write(Encoding.UTF8.GetBytes(document));
            joined.WriteByte((byte)'\n');
        }
        return joined.ToArray();
    }

    /// <summary>Bytes that <paramref name="text"/> adds to the compressed stream once <paramref name="before"/> is flushed.</summary>
    private static long Compress(ReadOnlySpan<byte> before, ReadOnlySpan<byte> text)
    {
        var encoder = new BrotliEncoder(Quality, WindowBits);
        try
        {
            var output = new byte[1 << 16];
            while (!before.IsEmpty) before = before[Feed(ref encoder, before, false, output, out _, out _)..];
            while (encoder.Flush(output, out _) == OperationStatus.DestinationTooSmall)
            {
            }

            long bytes = 0;
            bool done;
            do
            {
                text = text[Feed(ref encoder, text, true, output, out int written, out done)..];
                bytes += written;
            }
            while (!done);
            return bytes;
        }
        finally
        {
            encoder.Dispose();
        }
    }

    private static int Feed(
        ref BrotliEncoder encoder, ReadOnlySpan<byte> input, bool final, byte[] output, out int written, out bool done)
    {
        var status = encoder.Compress(input, output, out int consumed, out written, final);
        if (status == OperationStatus.InvalidData) throw new InvalidDataException("The Brotli encoder refused its input.");
        done = status == OperationStatus.Done;
        return consumed;
    }
}
