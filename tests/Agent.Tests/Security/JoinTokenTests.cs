using System.Security.Cryptography;
using CsCheck;
using Decant.Certificates;

namespace Decant.Agent.Tests.Security;

public class JoinTokenTests
{
    private static readonly JoinToken Token = JoinToken.Create("web1", SHA256.HashData("ca"u8), new DateTimeOffset(2026, 11, 27, 12, 15, 0, TimeSpan.Zero));

    [Test]
    public void What_is_copied_says_the_same_on_the_other_side()
    {
        Assert.That(JoinToken.TryParse($"  {Token.Reveal()}\n", out var read, out _), Is.True);

        Assert.Multiple(() =>
        {
            Assert.That((read!.Host, read.ExpiresAt), Is.EqualTo((Token.Host, Token.ExpiresAt)));
            Assert.That(read.Secret.ToArray(), Is.EqualTo(Token.Secret.ToArray()));
            Assert.That(read.Id.ToArray(), Is.EqualTo(Token.Id.ToArray()));
            Assert.That(read.CaFingerprint.ToArray(), Is.EqualTo(SHA256.HashData("ca"u8)));
            Assert.That($"{read}", Is.EqualTo("token of web1"));
        });
    }

    [Test]
    public void A_token_that_was_not_copied_whole_or_not_as_it_was_is_none()
    {
        var text = Token.Reveal();
        Gen.Select(Gen.Int[0, text.Length - 1], Gen.Char.AlphaNumeric, Gen.Int[0, text.Length - 1]).Sample(
            (at, letter, length) => (text[at] == letter || !JoinToken.TryParse(text[..at] + letter + text[(at + 1)..], out _, out _))
                && !JoinToken.TryParse(text[..length], out _, out _),
            iter: 2000);
        Gen.String.Sample(garbage => !JoinToken.TryParse($"decant1-{garbage}", out _, out _), iter: 2000);
    }

    [Test]
    public void Proofs_are_of_one_side_one_connection_and_one_certificate()
    {
        var view = new EnrolmentView([1], [2], [3], [4]);
        byte[][] proofs =
        [
            EnrolmentProof.OfAgent(Token, view),
            EnrolmentProof.OfAgent(Token, view with { Certificate = [9] }),
            EnrolmentProof.OfAgent(Token, view with { ControllerNonce = [3], AgentNonce = [2] }),
            EnrolmentProof.OfAgent(Token, view with { ControllerNonce = [2, 3], AgentNonce = [] }),
            EnrolmentProof.OfAgent(Token, view with { Request = [9] }),
            EnrolmentProof.OfController(Token, view, "certificate", "ca"),
            EnrolmentProof.OfController(Token, view, "certificate", "another ca"),
            EnrolmentProof.OfController(Token, view, "another certificate", "ca"),
            EnrolmentProof.OfAgent(JoinToken.Create("web1", SHA256.HashData("ca"u8), Token.ExpiresAt), view),
        ];

        Assert.That(proofs.Select(Convert.ToHexString).Distinct().Count(), Is.EqualTo(proofs.Length));
        Assert.That(EnrolmentProof.AreSame(proofs[0], EnrolmentProof.OfAgent(Token, view)), Is.True);
        Assert.That(EnrolmentProof.AreSame(proofs[0], proofs[1]), Is.False);
    }
}
