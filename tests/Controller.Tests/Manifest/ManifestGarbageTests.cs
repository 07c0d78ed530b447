using System.Text;
using CsCheck;
using Decant.Controller.Manifest;

namespace Decant.Controller.Tests.Manifest;

public class ManifestGarbageTests
{
    private static readonly string[] Pieces =
    [
        ":", ": ", "- ", "\n", "\n  ", "\t", "{", "}", "[", "]", "&a ", "*a", "!!x ", "'", "\"", "|", "> ", "#", "---", "...", "%YAML 1.1\n", "? ", ",", "<<: ",
        "\\", "\0", "\uFEFF", "\uD800", "null", "~", "é", "key: 1\n", "0", "-1", "99999999999", "%",
    ];

    [Test]
    public void Random_bytes_are_never_more_than_an_error()
        => Gen.Byte.Array[0, 400].Sample(bytes => ReadsOrRefuses(Encoding.Latin1.GetString(bytes)), iter: 20_000);

    [Test]
    public void Pieces_of_yaml_in_any_order_are_never_more_than_an_error()
        => Gen.Int[0, Pieces.Length - 1].Array[0, 40].Sample(picks => ReadsOrRefuses(string.Concat(picks.Select(p => Pieces[p]))), iter: 20_000);

    [Test]
    public void A_spoilt_manifest_is_never_more_than_an_error()
        => Gen.Select(Gen.Int[0, Manifests.Full.Length], Gen.Int[0, 20], Gen.Int[0, Pieces.Length - 1]).Array[1, 4].Sample(
            spoils => ReadsOrRefuses(spoils.Aggregate(Manifests.Full, Spoil)), iter: 10_000);

    private static string Spoil(string text, (int At, int Cut, int Piece) spoil)
    {
        var at = Math.Min(spoil.At, text.Length);
        return text[..at] + Pieces[spoil.Piece] + text[Math.Min(text.Length, at + spoil.Cut)..];
    }

    private static bool ReadsOrRefuses(string text) => ManifestReader.Read(text) switch
    {
        ManifestResult.Valid => true,
        ManifestResult.Invalid invalid => invalid.Errors.Count > 0 && invalid.Errors.All(e => e is { Line: >= 1, Column: >= 1, Reason.Length: > 0 }),
        _ => false,
    };
}
