using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Decant.Certificates;
using Decant.EndToEnd.Harness;

namespace Decant.Agent.Tests.Security;

public class RevocationListTests
{
    [Test]
    public void A_list_names_the_certificates_that_its_ca_revoked_and_no_others()
    {
        using var ca = new TestCa();
        using var bad = ca.Operator("bad", []);
        using var worse = ca.Operator("worse", []);
        using var good = ca.Operator("good", []);
        ca.Revoke(bad);

        var list = RevocationList.ReadAll(Encoding.UTF8.GetBytes(ca.Revoke(worse)), [ca.Certificate]).Single();

        Assert.Multiple(() =>
        {
            Assert.That(list.Revoked, Is.EquivalentTo(new[] { CertificateId.Of(bad), CertificateId.Of(worse) }));
            Assert.That(list.Revoked, Does.Not.Contain(CertificateId.Of(good)));
            Assert.That((int)list.Number, Is.EqualTo(2));
            Assert.That(list.NextUpdate, Is.GreaterThan(DateTimeOffset.UtcNow.AddDays(6)));
        });
    }

    [Test]
    public void A_file_may_have_lists_of_several_cas_or_one_as_der()
    {
        using var ca = new TestCa("one");
        using var other = new TestCa("two");
        using var bad = ca.Operator("bad", []);
        using var worse = other.Operator("worse", []);
        var (one, two) = (ca.Revoke(bad), other.Revoke(worse));

        var both = RevocationList.ReadAll(Encoding.UTF8.GetBytes($"one:\n{one}\n{two}\n"), [other.Certificate, ca.Certificate]);
        var fields = PemEncoding.Find(one);
        var der = RevocationList.ReadAll(Convert.FromBase64String(one[fields.Base64Data]), [ca.Certificate]);

        Assert.That(both.SelectMany(l => l.Revoked), Is.EquivalentTo(new[] { CertificateId.Of(bad), CertificateId.Of(worse) }));
        Assert.That(der.Single().Revoked, Is.EquivalentTo(new[] { CertificateId.Of(bad) }));
    }

    [Test]
    public void A_list_that_its_ca_did_not_sign_is_refused()
    {
        using var ca = new TestCa("same name");
        using var impostor = new TestCa("same name");
        using var good = ca.Operator("good", []);
        var list = Encoding.UTF8.GetBytes(impostor.Revoke(good));

        Assert.That(() => RevocationList.ReadAll(list, [ca.Certificate]), Throws.TypeOf<CryptographicException>().With.Message.Contains("not signed by the CA"));
        Assert.That(() => RevocationList.ReadAll("no list"u8, [ca.Certificate]), Throws.TypeOf<CryptographicException>());
    }

    [Test]
    public void A_damaged_list_is_refused_and_nothing_worse()
    {
        using var ca = new TestCa();
        using var bad = ca.Operator("bad", []);
        var pem = ca.Revoke(bad);
        var der = Convert.FromBase64String(pem[PemEncoding.Find(pem).Base64Data]);

        Gen.Select(Gen.Int[0, der.Length - 1], Gen.Byte[1, 255], Gen.Int[0, der.Length - 1]).Sample(
            (at, by, length) =>
            {
                var damaged = der.ToArray();
                damaged[at] ^= by;
                Assert.That(() => RevocationList.ReadAll(damaged, [ca.Certificate]), Throws.TypeOf<CryptographicException>());
                Assert.That(() => RevocationList.ReadAll(der.AsSpan(0, length), [ca.Certificate]), Throws.TypeOf<CryptographicException>());
            },
            iter: 500,
            threads: 1);
    }
}
