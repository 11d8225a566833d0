using System.Globalization;
using System.Numerics;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>
/// Cuts template source into tokens, with the whitespace rules chat templates are written for: <c>trim_blocks</c> (a line break
/// after a block or comment goes), <c>lstrip_blocks</c> (so does indentation before it), and <c>-</c> and <c>+</c> at either
/// end of a tag. One line break at the end of the source does not count.
/// </summary>
internal sealed class Lexer
{
    /// <summary>Longest first, so that a prefix never wins.</summary>
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
        ":", "|", ",", ";",
    ];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;

    private Lexer(string source) => _source = source;

    public static List<Token> Read(string source)
    {
        var lexer = new Lexer(source);
        lexer.ReadAll();
        return lexer._tokens;
    }

    /// <summary>Line breaks of any kind become <c>\n</c>, and one at the end goes: offsets count in this text.</summary>
    public static string Normalized(string source)
    {
        string text = source.Contains('\r', StringComparison.Ordinal)
            ? source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n') : source;
        return text.EndsWith('\n') ? text[..^1] : text;
    }

    private void ReadAll()
    {
        while (_at < _source.Length)
        {
            int tag = NextTag(_at);
            if (tag < 0)
            {
                Add(TokenKind.Data, _source[_at..], _at);
                _at = _source.Length;
                break;
            }
            char kind = _source[tag + 1];
            int after = tag + 2;
            char sign = Sign(ref after);
            AddData(_at, tag, sign, strips: kind != '{');
            _at = after;
            if (kind == '#') SkipComment(tag);
            else if (kind == '%' && RawBegins(after) is >= 0 and int body) ReadRaw(tag, body);
            else ReadTag(tag, kind == '%');
        }
        Add(TokenKind.End, "", _source.Length);
    }

    private int NextTag(int from)
    {
        for (int i = from; ; i++)
        {
            i = _source.IndexOf('{', i);
            if (i < 0 || i + 1 >= _source.Length) return -1;
            if (_source[i + 1] is '%' or '{' or '#') return i;
        }
    }

    private char Sign(ref int at) => at < _source.Length && _source[at] is '-' or '+' ? _source[at++] : ' ';

    private void AddData(int from, int to, char sign, bool strips)
    {
        int end = to;
        if (sign == '-')
        {
            while (end > from && Characters.IsSpace(_source[end - 1])) end--;
        }
        else if (sign != '+' && strips)
        {
            int line = end;
            while (line > from && Characters.IsSpace(_source[line - 1]) && _source[line - 1] != '\n') line--;
            bool startsLine = line > from ? _source[line - 1] == '\n' : line == 0 || _source[line - 1] == '\n';
            if (startsLine) end = line;
        }
        if (end > from) Add(TokenKind.Data, _source[from..end], from);
    }

    private void SkipComment(int tag)
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0) throw new TemplateError("a comment is not closed with '#}'.", at: tag);
        char sign = end > _at ? _source[end - 1] : ' ';
        _at = end + 2;
        AfterTag(sign);
    }

    /// <summary>What follows a block or comment that ends here: with '-' all white space goes, with '+' nothing, else one line
    /// break.</summary>
    private void AfterTag(char sign)
    {
        if (sign == '-') SkipSpace();
        else if (sign != '+' && _at < _source.Length && _source[_at] == '\n') _at++;
    }

    private void SkipSpace()
    {
        while (_at < _source.Length && Characters.IsSpace(_source[_at])) _at++;
    }

    /// <summary>Where the body of <c>{% raw %}</c> begins, or -1 for another tag.</summary>
    private int RawBegins(int at)
    {
        int word = Spaces(at);
        if (string.CompareOrdinal(_source, word, "raw", 0, 3) != 0) return -1;
        int end = Spaces(word + 3);
        if (string.CompareOrdinal(_source, end, "%}", 0, 2) == 0) return end + 2;
        return string.CompareOrdinal(_source, end, "-%}", 0, 3) == 0 ? Spaces(end + 3) : -1;
    }

    private int Spaces(int at)
    {
        while (at < _source.Length && Characters.IsSpace(_source[at])) at++;
        return at;
    }

    private void ReadRaw(int tag, int body)
    {
        for (int i = body; (i = _source.IndexOf("{%", i, StringComparison.Ordinal)) >= 0; i += 2)
        {
            int at = i + 2;
            char sign = Sign(ref at);
            int word = Spaces(at);
            if (string.CompareOrdinal(_source, word, "endraw", 0, 6) != 0) continue;
            int end = Spaces(word + 6);
            char last = end < _source.Length && _source[end] is '-' or '+' ? _source[end++] : ' ';
            if (string.CompareOrdinal(_source, end, "%}", 0, 2) != 0) continue;
            AddData(body, i, sign, strips: true);
            _at = end + 2;
            AfterTag(last);
            return;
        }
        throw new TemplateError("'raw' is not closed with '{% endraw %}'.", at: tag);
    }

    /// <summary>The inside of <c>{% %}</c> or <c>{{ }}</c>.</summary>
    private void ReadTag(int tag, bool isBlock)
    {
        Add(isBlock ? TokenKind.BlockBegin : TokenKind.PrintBegin, "", tag);
        string close = isBlock ? "%}" : "}}";
        var open = new Stack<char>();
        while (true)
        {
            SkipSpace();
            if (_at >= _source.Length) throw new TemplateError($"a tag is not closed with '{close}'.", at: tag);
            if (open.Count == 0 && Closes(close, isBlock)) return;
            ReadToken(open);
        }
    }

    private bool Closes(string close, bool isBlock)
    {
        char sign = _source[_at] is '-' or '+' ? _source[_at] : ' ';
        if (sign == '+' && !isBlock) return false;
        int at = sign == ' ' ? _at : _at + 1;
        if (string.CompareOrdinal(_source, at, close, 0, 2) != 0) return false;
        Add(isBlock ? TokenKind.BlockEnd : TokenKind.PrintEnd, "", _at);
        _at = at + 2;
        if (isBlock || sign == '-') AfterTag(sign);
        return true;
    }

    private void ReadToken(Stack<char> open)
    {
        char c = _source[_at];
        int start = _at;
        if (char.IsAsciiDigit(c)) ReadNumber();
        else if (c is '"' or '\'') ReadText();
        else if (IsNamePart(c))
        {
            while (_at < _source.Length && IsNamePart(_source[_at])) _at++;
            Add(TokenKind.Name, _source[start.._at], start);
        }
        else
        {
            string op = Array.Find(Operators, text => string.CompareOrdinal(_source, _at, text, 0, text.Length) == 0)
                ?? throw new TemplateError($"unexpected character '{c}'.", at: _at);
            _at += op.Length;
            if (c is '(' or '[' or '{') open.Push(c);
            else if (c is ')' or ']' or '}')
            {
                char opened = c switch { ')' => '(', ']' => '[', _ => '{' };
                if (!open.TryPop(out char last) || last != opened)
                    throw new TemplateError($"'{c}' closes nothing.", at: start);
            }
            Add(TokenKind.Operator, op, start);
        }
    }

    private static bool IsNamePart(char c) => char.IsLetterOrDigit(c) || c == '_';

    private void ReadNumber()
    {
        int start = _at;
        if (_source[_at] == '0' && _at + 1 < _source.Length && (_source[_at + 1] | 32) is 'x' or 'o' or 'b')
        {
            int radix = (_source[_at + 1] | 32) switch { 'x' => 16, 'o' => 8, _ => 2 };
            BigInteger value = 0;
            for (_at += 2; _at < _source.Length && _at - start < 80 && (_source[_at] == '_' || char.IsAsciiHexDigit(_source[_at])); _at++)
            {
                if (_source[_at] == '_') continue;
                int digit = Convert.ToInt32(_source[_at].ToString(), 16);
                if (digit >= radix) break;
                value = (value * radix) + digit;
            }
            AddInteger(value, start);
            return;
        }
        Digits();
        bool isReal = false;
        if (_at + 1 < _source.Length && _source[_at] == '.' && char.IsAsciiDigit(_source[_at + 1]))
        {
            isReal = true;
            _at++;
            Digits();
        }
        int exponent = _at + 1;
        if (exponent < _source.Length && _source[exponent] is '+' or '-') exponent++;
        if (_at < _source.Length && (_source[_at] | 32) == 'e' && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
        {
            isReal = true;
            _at = exponent;
            Digits();
        }
        string text = _source[start.._at].Replace("_", "", StringComparison.Ordinal);
        if (isReal)
        {
            Add(TokenKind.Number, "", start, double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
            return;
        }
        if (text.Length > 1 && text[0] == '0' && text.AsSpan().Trim('0').Length > 0)
            throw new TemplateError("a number begins with 0.", at: start);
        AddInteger(text.Length > 40 ? BigInteger.Pow(10, 40) : BigInteger.Parse(text, CultureInfo.InvariantCulture), start);
    }

    private void Digits()
    {
        while (_at < _source.Length && (char.IsAsciiDigit(_source[_at]) || _source[_at] == '_')) _at++;
    }

    private void AddInteger(BigInteger value, int start)
    {
        if (value > long.MaxValue) throw new TemplateError("an integer does not fit 64 bits.", at: start);
        Add(TokenKind.Number, "", start, (long)value);
    }

    private void ReadText()
    {
        int start = _at;
        char quote = _source[_at++];
        var text = new StringBuilder();
        while (true)
        {
            if (_at >= _source.Length) throw new TemplateError("a string is not closed.", at: start);
            char c = _source[_at++];
            if (c == quote) break;
            if (c != '\\') text.Append(c);
            else if (_at < _source.Length) ReadEscape(text);
        }
        Add(TokenKind.Text, text.ToString(), start);
    }

    private void ReadEscape(StringBuilder text)
    {
        char c = _source[_at++];
        switch (c)
        {
            case '\n': break;
            case '\\' or '\'' or '"': text.Append(c); break;
            case 'a': text.Append('\a'); break;
            case 'b': text.Append('\b'); break;
            case 'f': text.Append('\f'); break;
            case 'n': text.Append('\n'); break;
            case 'r': text.Append('\r'); break;
            case 't': text.Append('\t'); break;
            case 'v': text.Append('\v'); break;
            case 'x': AppendCode(text, 2); break;
            case 'u': AppendCode(text, 4); break;
            case 'U': AppendCode(text, 8); break;
            case 'N': throw TemplateError.Unsupported("A character by name ('\\N{...}')", _at - 2);
            case >= '0' and <= '7':
                int code = c - '0';
                for (int i = 0; i < 2 && _at < _source.Length && _source[_at] is >= '0' and <= '7'; i++)
                    code = (code * 8) + _source[_at++] - '0';
                text.Append((char)code);
                break;
            default: text.Append('\\').Append(c); break;
        }
    }

    private void AppendCode(StringBuilder text, int digits)
    {
        if (_at + digits > _source.Length || !int.TryParse(_source.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture, out int code) || code is < 0 or > 0x10FFFF)
            throw new TemplateError("a string has a broken escape.", at: _at);
        _at += digits;
        if (code < 0x10000) text.Append((char)code);
        else text.Append(char.ConvertFromUtf32(code));
    }

    private void Add(TokenKind kind, string text, int at, object? value = null) => _tokens.Add(new Token(kind, text, at, value));
}
