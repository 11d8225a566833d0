namespace Finery.Data.Readers.Warc;

/// <summary>
/// The content of a WARC file, plain or by gzip member: bytes ahead can be looked at, passed, and put back. A gzip member is an
/// end of its own, past which only <see cref="NextMember"/> leads. Used by one thread.
/// </summary>
internal sealed class WarcContent : IDisposable
{
    private readonly BufferedInput _input;
    private readonly GzipMembers? _members;
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;

    public WarcContent(BufferedInput input, bool isGzip, double maxRatio)
    {
        _input = input;
        _members = isGzip ? new GzipMembers(input, maxRatio) : null;
    }

    /// <summary>Whether the file consists of gzip members.</summary>
    public bool IsGzip => _members is not null;

    /// <summary>Whether the member being read expands too much.</summary>
    public bool IsBomb => _members is { IsBomb: true };

    /// <summary>Offset in the file of the member being read.</summary>
    public long MemberStart => _members?.MemberStart ?? 0;

    /// <summary>Offset in a plain file of the next byte.</summary>
    public long PlainPosition => _input.Position - (_end - _start);

    /// <summary>The file itself.</summary>
    public BufferedInput Input => _input;

    /// <summary>The bytes ahead, as far as they have been read.</summary>
    public ReadOnlySpan<byte> Available => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Has at least <paramref name="count"/> bytes ahead.</summary>
    /// <returns>False if the member or file ends sooner.</returns>
    /// <exception cref="InvalidDataException">The member is damaged.</exception>
    public bool Require(int count)
    {
        while (_end - _start < count)
            if (!Fill())
                return false;
        return true;
    }

    /// <summary>Reads more bytes ahead.</summary>
    /// <inheritdoc cref="Require"/>
    public bool Fill()
    {
        Shift(_buffer.Length / 4);
        var read = _members is null ? _input.Read(_buffer.AsSpan(_end)) : _members.Read(_buffer.AsSpan(_end));
        _end += read;
        return read > 0;
    }

    /// <summary>Passes bytes that are ahead.</summary>
    public void Advance(int count) => _start += count;

    /// <summary>Reads up to the length of <paramref name="target"/>; 0 at the end of the member or file.</summary>
    /// <inheritdoc cref="Require"/>
    public int Read(Span<byte> target)
    {
        if (_start == _end)
        {
            if (target.Length >= _buffer.Length)
                return _members is null ? _input.Read(target) : _members.Read(target);
            if (!Fill())
                return 0;
        }
        var count = Math.Min(target.Length, _end - _start);
        Available[..count].CopyTo(target);
        _start += count;
        return count;
    }

    /// <summary>Passes bytes without keeping them.</summary>
    /// <returns>How many; fewer than asked for at the end of the member or file.</returns>
    /// <inheritdoc cref="Require"/>
    public long Skip(long count)
    {
        var passed = Math.Min(count, _end - _start);
        _start += (int)passed;
        if (passed < count && !IsGzip)
        {
            var target = Math.Min(_input.Length, _input.Position + (count - passed));
            passed += target - _input.Position;
            _input.Seek(target);
        }
        while (passed < count && Fill())
        {
            var step = (int)Math.Min(count - passed, _end - _start);
            _start += step;
            passed += step;
        }
        return passed;
    }

    /// <summary>Puts bytes back before those ahead.</summary>
    public void Unread(ReadOnlySpan<byte> bytes)
    {
        if (_start < bytes.Length)
        {
            var grown = new byte[bytes.Length + (_end - _start) + (1 << 16)];
            Available.CopyTo(grown.AsSpan(bytes.Length));
            (_buffer, _start, _end) = (grown, bytes.Length, bytes.Length + (_end - _start));
        }
        _start -= bytes.Length;
        bytes.CopyTo(_buffer.AsSpan(_start));
    }

    /// <summary>Goes to an offset of the file, between members if it consists of those.</summary>
    public void Seek(long position)
    {
        _members?.Close();
        _start = _end = 0;
        _input.Seek(position);
    }

    /// <summary>Opens the gzip member at the file's position, once the one before has ended.</summary>
    /// <returns>False if none starts there.</returns>
    public bool NextMember() => _members is not null && _members.TryOpen();

    public void Dispose()
    {
        _members?.Dispose();
        _input.Dispose();
    }

    /// <summary>Makes room for at least <paramref name="room"/> bytes after those ahead.</summary>
    private void Shift(int room)
    {
        if (_buffer.Length - _end >= room)
            return;
        var ahead = _end - _start;
        if (_buffer.Length - ahead >= room)
            Available.CopyTo(_buffer);
        else
        {
            var grown = new byte[_buffer.Length * 2];
            Available.CopyTo(grown);
            _buffer = grown;
        }
        (_start, _end) = (0, ahead);
    }
}
