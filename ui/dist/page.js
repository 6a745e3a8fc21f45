/* Bellboard 0.1.0, MIT */
import"./inbox.js";var o="bellboard-token",h=`
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f4f5f7, #111317); color: light-dark(#1b1d21, #e9eaee) }
main { max-width: 46rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.3rem }
form { display: grid; gap: .6rem; justify-items: start }
form p { margin: 0 }
input { font: inherit; padding: .4rem; inline-size: 100%; box-sizing: border-box }
button { font: inherit; padding: .4rem .9rem }
[hidden] { display: none }
`,c=new CSSStyleSheet;c.replaceSync(h);document.adoptedStyleSheets=[c];var i=document.querySelector("bellboard-inbox"),t=document.querySelector("form"),a=t.querySelector("input"),[f,g]=t.querySelectorAll("[role=alert]");function b(){let e=new URLSearchParams(location.hash.slice(1)).get("token");return e&&history.replaceState(null,"",location.pathname+location.search),e}function d(e,n=""){return sessionStorage.removeItem(o),f.hidden=!e,g.hidden=!n,a.value=n,t.hidden=!1,i.hidden=!0,a.focus(),new Promise(r=>{t.onsubmit=s=>{s.preventDefault();let l=a.value.trim();sessionStorage.setItem(o,l),m(),r(l)}})}function m(){t.hidden=!0,i.hidden=!1}async function u(){let e=b(),n=sessionStorage.getItem(o),r=e&&e!==n?await d(!1,e):n??await d(!1);m(),i.token=({refresh:s})=>s?d(!0):sessionStorage.getItem(o)??r}i.addEventListener("bellboard-count",e=>{let{unread:n}=e.detail;document.title=n>0?`(${n}) Inbox`:"Inbox"});addEventListener("hashchange",()=>{location.hash&&u()});u();
