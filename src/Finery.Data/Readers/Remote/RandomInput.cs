using Microsoft.Win32.SafeHandles;

namespace Finery.Data.Readers.Remote;

/// <summary>A file, of this machine or remote, that is read here and there. Used by one thread.</summary>
internal abstract class RandomInput : IDisposable
{
    /// <summary>Bytes of the file.</summary>
    public abstract long Length { get; }

    /// <summary>Opens what an input path names.</summary>
    /// <exception cref="IOException">It does not exist or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The system does not allow it.</exception>
    public static RandomInput Open(string path) =>
        InputFile.IsRemote(path) ? new Blocks(InputFile.Open(path)) : new LocalFile(File.OpenHandle(path));

    /// <summary>Reads up to the length of <paramref name="buffer"/> from an offset.</summary>
    /// <returns>How much; 0 at the end.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    public abstract int Read(Span<byte> buffer, long position);

    public abstract void Dispose();

    private sealed class LocalFile(SafeFileHandle handle) : RandomInput
    {
        public override long Length => RandomAccess.GetLength(handle);

        public override int Read(Span<byte> buffer, long position) => RandomAccess.Read(handle, buffer, position);

        public override void Dispose() => handle.Dispose();
    }

    /// <summary>Fetches a remote file in blocks and keeps the last few, since several columns are read side by side.</summary>
    private sealed class Blocks : RandomInput
    {
        private const int BlockBytes = 2 << 20;
        private const int Kept = 12;
        private readonly Stream _stream;
        private readonly List<(long Index, byte[] Bytes)> _blocks = [];

        public Blocks(Stream stream)
        {
            _stream = stream;
            if (stream is RangeStream ranges)
                ranges.RangeBytes = BlockBytes;
        }

        public override long Length => _stream.Length;

        public override int Read(Span<byte> buffer, long position)
        {
            if (position >= Length)
                return 0;
            var block = Block(position / BlockBytes);
            var bytes = block.AsSpan((int)(position % BlockBytes));
            var count = Math.Min(bytes.Length, buffer.Length);
            bytes[..count].CopyTo(buffer);
            return count;
        }

        public override void Dispose() => _stream.Dispose();

        /// <summary>The block used last is the last of the list.</summary>
        private byte[] Block(long index)
        {
            var at = _blocks.FindIndex(b => b.Index == index);
            if (at < 0)
            {
                var bytes = new byte[Math.Min(BlockBytes, Length - index * BlockBytes)];
                _stream.Position = index * BlockBytes;
                _stream.ReadExactly(bytes);
                if (_blocks.Count == Kept)
                    _blocks.RemoveAt(0);
                _blocks.Add((index, bytes));
                return bytes;
            }
            var found = _blocks[at];
            _blocks.RemoveAt(at);
            _blocks.Add(found);
            return found.Bytes;
        }
    }
}
